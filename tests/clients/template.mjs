// Applies a project in the format of Directus' template tool: schema, roles, policies, permissions, users and content,
// in the order and with the steps that the tool's documentation and its users' logs describe. It stands in for the tool
// where the package registry does not offer it. Files and flows are left out (the tool's partial mode); what points to a
// file is left out of the content with them.

import {
  createCollection,
  createField,
  createItems,
  createPermissions,
  createPolicy,
  createRelation,
  createRole,
  createUser,
  customEndpoint,
  readCollections,
  readFields,
  readItems,
  readMe,
  readPermissions,
  readPolicies,
  readRelations,
  readRoles,
  readUsers,
  updateCollection,
  updateItemsBatch,
  updateSingleton,
} from '@directus/sdk';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Reads a template from its folder. */
export async function readTemplate(folder) {
  const read = async (name) => JSON.parse(await readFile(join(folder, 'src', `${name}.json`), 'utf8'));
  const names = ['collections', 'fields', 'relations', 'roles', 'policies', 'permissions', 'users', 'access'];
  const template = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await read(name)])));
  template.content = {};
  for (const file of await readdir(join(folder, 'src', 'content'))) {
    const name = file.replace(/\.json$/, '');
    template.content[name] = await read(`content/${name}`);
  }
  return template;
}

/** Applies what is not there yet; overwrites content with the same keys. Every request must succeed. */
export async function apply(client, template) {
  await client.request(readMe({ fields: ['*'] }));
  await applySchema(client, template);
  await applyPeople(client, template);
  await applyContent(client, template);
}

async function applySchema(client, { collections, fields, relations }) {
  const there = new Set((await client.request(readCollections())).map(({ collection }) => collection));
  for (const { collection, meta, schema } of collections.filter(({ collection }) => !there.has(collection))) {
    const own = schema ? { fields: fields.filter((field) => field.collection === collection) } : {};
    await client.request(createCollection({ collection, meta: { ...meta, group: null }, schema, ...own }));
  }
  for (const { collection, meta } of collections) {
    await client.request(updateCollection(collection, { meta: { group: meta.group } }));
  }
  const known = new Set((await client.request(readFields())).map(({ collection, field }) => `${collection}.${field}`));
  for (const field of fields.filter(({ collection, field }) => !known.has(`${collection}.${field}`))) {
    await client.request(createField(field.collection, field));
  }
  const related = new Set((await client.request(readRelations())).map(({ collection, field }) => `${collection}.${field}`));
  for (const relation of relations.filter(({ collection, field }) => !related.has(`${collection}.${field}`))) {
    await client.request(createRelation(relation));
  }
}

async function applyPeople(client, { roles, policies, permissions, users, access }) {
  const keys = async (request) => new Set((await client.request(request)).map(({ id }) => id));
  const all = { fields: ['id'], limit: -1 };
  const roleKeys = await keys(readRoles(all));
  for (const { children, policies, users, ...role } of roles.filter(({ id }) => !roleKeys.has(id))) {
    await client.request(createRole(role));
  }
  const policyKeys = await keys(readPolicies(all));
  for (const policy of policies.filter(({ id }) => !policyKeys.has(id))) await client.request(createPolicy(policy));
  const name = ({ policy, collection, action }) => `${policy} ${collection} ${action}`;
  const granted = new Set((await client.request(readPermissions({ fields: ['policy', 'collection', 'action'], limit: -1 }))).map(name));
  const missing = permissions.filter((permission) => !granted.has(name(permission)));
  if (missing.length) await client.request(createPermissions(missing));
  const userKeys = await keys(readUsers(all));
  for (const { id, first_name, last_name, email, title, description, tags, status, role } of users.filter(({ id }) => !userKeys.has(id))) {
    await client.request(createUser({ id, first_name, last_name, title, description, tags, status, role, ...(email && { email }) }));
  }
  const attached = await keys(customEndpoint({ path: '/access?limit=-1&fields=id', method: 'GET' }));
  for (const each of access.filter(({ id }) => !attached.has(id))) {
    await client.request(customEndpoint({ path: '/access', method: 'POST', body: JSON.stringify(each) }));
  }
}

async function applyContent(client, template) {
  const singletons = new Set(template.collections.filter(({ meta }) => meta?.singleton).map(({ collection }) => collection));
  const lists = Object.keys(template.content).filter((name) => !singletons.has(name));
  // First every item with its key alone, so that relations can point anywhere; then what is in them.
  for (const name of lists) {
    const there = new Set((await client.request(readItems(name, { fields: ['id'], limit: -1 }))).map(({ id }) => id));
    const missing = template.content[name].filter(({ id }) => !there.has(id)).map(({ id }) => ({ id }));
    if (missing.length) await client.request(createItems(name, missing));
  }
  for (const name of lists) {
    const rows = expected(template, name);
    if (rows.length) await client.request(updateItemsBatch(name, rows));
  }
  for (const name of singletons) {
    if (template.content[name]) await client.request(updateSingleton(name, expected(template, name)));
  }
}

/** The rows of a collection as they are applied: without aliases, files, and people who are not part of the template. */
export function expected(template, name) {
  const left = new Set([
    ...template.fields.filter(({ collection, type }) => collection === name && type === 'alias').map(({ field }) => field),
    ...template.relations
      .filter(({ collection, related_collection }) => collection === name && related_collection === 'directus_files')
      .map(({ field }) => field),
  ]);
  const people = new Set(template.users.map(({ id }) => id));
  const toPeople = new Set(
    template.relations.filter(({ collection, related_collection }) => collection === name && related_collection === 'directus_users').map(({ field }) => field),
  );
  const keep = (row) => Object.fromEntries(
    Object.entries(row).filter(([field, value]) => !left.has(field) && !(toPeople.has(field) && value && !people.has(value))),
  );
  const rows = template.content[name];
  return Array.isArray(rows) ? rows.map(keep) : keep(rows);
}
