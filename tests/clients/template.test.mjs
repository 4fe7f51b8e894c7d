// A real project in the format of Directus' template tool is applied twice, and what is read back equals what was applied.

import {
  createDirectus, readCollections, readFields, readItems, readPermissions, readPolicies, readRelations, readRoles, readSingleton,
  readUsers, rest, staticToken,
} from '@directus/sdk';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { start } from './server.mjs';
import { apply, expected, readTemplate } from './template.mjs';

const folder = process.env.LOGGIA_TEST_TEMPLATE ?? fileURLToPath(new URL('../../../shared/data/cms-template', import.meta.url));

if (!existsSync(folder)) {
  test('a template is applied', { skip: 'no template here: LOGGIA_TEST_TEMPLATE names its folder' }, () => {});
} else {
  const loggia = await start();
  after(() => loggia.stop());
  const client = createDirectus(loggia.url).with(staticToken(loggia.token)).with(rest());
  const template = await readTemplate(folder);

  test('values that the template\'s own choices do not list are refused, each by its path', async () => {
    const wrong = unlisted(template);
    if (!wrong.length) return;
    await assert.rejects(apply(client, template), ({ response, errors }) => {
      assert.equal(response.status, 400);
      assert.equal(errors.length, wrong.length);
      for (const { extensions } of errors) assert.equal(extensions.code, 'FAILED_VALIDATION');
      return true;
    });
    // As the person who applies it would do: correct what was named.
    for (const { row, field, choices } of wrong) row[field] = choices[0];
  });

  for (const time of ['once', 'again']) {
    test(`a template is applied ${time}, and is there as it was applied`, async () => {
      await apply(client, template);
      await schemaIsThere();
      await peopleAreThere();
      for (const name of Object.keys(template.content)) await contentIsThere(name);
    });
  }

  /** The values in the content that are not among the choices of their field. */
  function unlisted({ fields, content }) {
    const found = [];
    for (const { collection, field, meta } of fields) {
      const choices = meta?.options?.allowOther ? undefined : meta?.options?.choices?.map(({ value }) => value);
      for (const row of choices ? [content[collection] ?? []].flat() : []) {
        if (typeof row[field] === 'string' && !choices.includes(row[field])) found.push({ row, field, choices });
      }
    }
    return found;
  }

  /** Every member of `given` stands in `got`; what `got` has besides does not matter. */
  const holds = (got, given, members, where) => {
    for (const member of members) assert.deepEqual(got?.[member] ?? null, given?.[member] ?? null, `${where}.${member}`);
  };

  async function schemaIsThere() {
    const collections = new Map((await client.request(readCollections())).map((each) => [each.collection, each]));
    for (const { collection, meta, schema } of template.collections) {
      const got = collections.get(collection);
      assert.equal(Boolean(got.schema), Boolean(schema), collection);
      holds(got.meta, meta, Object.keys(meta), collection);
    }
    const fields = new Map((await client.request(readFields())).map((each) => [`${each.collection}.${each.field}`, each]));
    for (const field of template.fields) {
      const where = `${field.collection}.${field.field}`;
      const got = fields.get(where);
      assert.equal(got?.type, field.type, where);
      holds(got.meta, field.meta, Object.keys(field.meta), where);
      if (field.schema) holds(got.schema, field.schema, ['default_value', 'max_length', 'is_nullable', 'is_unique', 'is_primary_key'], where);
    }
    const relations = new Map((await client.request(readRelations())).map((each) => [`${each.collection}.${each.field}`, each]));
    for (const relation of template.relations) {
      const where = `${relation.collection}.${relation.field}`;
      const got = relations.get(where);
      assert.equal(got?.related_collection, relation.related_collection, where);
      holds(got.meta, relation.meta, Object.keys(relation.meta).filter((name) => name !== 'id'), where);
      if (relation.schema) holds(got.schema, relation.schema, ['foreign_key_table', 'foreign_key_column', 'on_delete'], where);
    }
  }

  async function peopleAreThere() {
    const all = { limit: -1 };
    const same = async (request, given, members) => {
      const got = new Map((await client.request(request)).map((each) => [each.id, each]));
      for (const each of given) holds(got.get(each.id), each, members, each.id);
    };
    await same(readRoles(all), template.roles, ['name', 'icon', 'description', 'parent']);
    await same(readPolicies(all), template.policies.filter(({ icon }) => icon !== 'public'), ['name', 'admin_access', 'app_access', 'enforce_tfa']);
    await same(readUsers(all), template.users, ['first_name', 'last_name', 'email', 'title', 'role', 'tags']);
    const rules = await client.request(readPermissions(all));
    for (const given of template.permissions) {
      const alike = rules.filter((rule) => rule.policy === given.policy && rule.collection === given.collection && rule.action === given.action);
      assert.ok(alike.length > 0, JSON.stringify(given));
      assert.ok(alike.some(({ fields }) => JSON.stringify(fields) === JSON.stringify(given.fields)), JSON.stringify(given));
    }
  }

  async function contentIsThere(name) {
    const given = expected(template, name);
    if (!Array.isArray(given)) {
      const got = await client.request(readSingleton(name));
      // Its first write makes it, at its own time and by its own user.
      const marks = stamped(name, ['date-created', 'user-created']);
      return holds(got, given, Object.keys(given).filter((member) => !marks.has(member)), name);
    }
    const got = new Map((await client.request(readItems(name, { limit: -1 }))).map((row) => [row.id, row]));
    assert.equal(got.size, given.length, name);
    for (const row of given) holds(got.get(row.id), row, Object.keys(row).filter((member) => !stamped(name).has(member)), `${name} ${row.id}`);
    return undefined;
  }

  /** Fields that every write stamps anew. */
  function stamped(name, more = []) {
    const marks = ['date-updated', 'user-updated', ...more];
    const own = template.fields.filter(({ collection, meta }) => collection === name && meta?.special?.some((mark) => marks.includes(mark)));
    return new Set(own.map(({ field }) => field));
  }
}
