// Two conversations with an assistant, as the calls that the assistant makes: modelling a CRM, and writing a blog post.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { start } from './server.mjs';

const loggia = await start();
const client = new Client({ name: 'conversation', version: '1' });
before(() => client.connect(new StreamableHTTPClientTransport(new URL(loggia.mcp), {
  requestInit: { headers: { authorization: `Bearer ${loggia.token}` } },
})));
after(async () => {
  await client.close();
  await loggia.stop();
});

async function call(name, args = {}) {
  const result = await client.callTool({ name, arguments: args });
  assert.ok(!result.isError, `${name} ${JSON.stringify(args)}: ${JSON.stringify(result.structuredContent ?? result.content)}`);
  return result.structuredContent;
}

async function fails(name, args) {
  const result = await client.callTool({ name, arguments: args });
  assert.ok(result.isError, `${name} ${JSON.stringify(args)} succeeded`);
  return JSON.parse(result.content[0].text).error;
}

const uuidKey = { field: 'id', type: 'uuid', schema: { is_primary_key: true }, meta: { special: ['uuid'], hidden: true, readonly: true } };
const text = (field, meta = {}, schema = {}) => ({ field, type: 'string', schema, meta: { interface: 'input', ...meta } });
const choice = (field, ...values) => text(field, {
  interface: 'select-dropdown',
  options: { choices: values.map((value) => ({ text: value, value })) },
});
const collection = (name, fields, meta = {}) => ({ collection: name, schema: {}, meta, fields: [uuidKey, ...fields] });
const pointer = (name, note) => ({ field: name, type: 'uuid', schema: {}, meta: { interface: 'select-dropdown-m2o', note } });
const relate = (many, field, one, one_field, more = {}) => call('relations', {
  action: 'create',
  collection: many,
  field,
  data: { collection: many, field, related_collection: one, schema: { on_delete: 'SET NULL' }, meta: { one_field, ...more } },
});

test('a CRM is modelled, filled and asked', async () => {
  assert.ok(Object.keys(await call('system-prompt')).length > 0);
  await call('schema');

  await call('collections', { action: 'create', data: [
    collection('organizations', [text('name', { required: true }), text('website'), choice('type', 'customer', 'partner', 'prospect')], { icon: 'domain', display_template: '{{name}}' }),
    collection('contacts', [text('first_name', { required: true }), text('last_name'), text('email', {}, { is_unique: true })], { icon: 'person' }),
    collection('deal_stages', [text('name', { required: true }), { field: 'sort', type: 'integer', schema: {}, meta: {} }], { sort_field: 'sort' }),
  ] });
  await call('collections', { action: 'create', data: [
    collection('deals', [
      text('name', { required: true }),
      { field: 'value', type: 'decimal', schema: { numeric_precision: 12, numeric_scale: 2 }, meta: {} },
      pointer('organization'), pointer('contact'), pointer('stage'), pointer('owner'),
    ]),
    collection('activities', [
      choice('kind', 'email', 'call', 'task'), text('subject', { required: true }),
      { field: 'due', type: 'timestamp', schema: {}, meta: {} },
      pointer('organization'), pointer('contact'), pointer('deal'), pointer('owner'),
    ]),
    collection('organizations_contacts', [pointer('organizations_id'), pointer('contacts_id'), text('role')], { hidden: true }),
  ] });

  await relate('organizations_contacts', 'organizations_id', 'organizations', 'contacts', { junction_field: 'contacts_id' });
  await relate('organizations_contacts', 'contacts_id', 'contacts', 'organizations', { junction_field: 'organizations_id' });
  await relate('deals', 'organization', 'organizations', 'deals');
  await relate('deals', 'contact', 'contacts', 'deals');
  await relate('deals', 'stage', 'deal_stages', 'deals');
  await relate('deals', 'owner', 'directus_users', null);
  for (const [field, one] of [['organization', 'organizations'], ['contact', 'contacts'], ['deal', 'deals']]) {
    await relate('activities', field, one, 'activities');
  }
  await relate('activities', 'owner', 'directus_users', null);

  const model = JSON.stringify(await call('schema', { keys: ['organizations', 'contacts', 'deals', 'activities'] }));
  for (const word of ['m2m', 'm2o', 'o2m', 'organizations_contacts', 'directus_users']) assert.ok(model.includes(word), word);

  const me = (await (await fetch(`${loggia.url}/users/me`, { headers: { authorization: `Bearer ${loggia.token}` } })).json()).data.id;
  const stages = await call('items', { action: 'create', collection: 'deal_stages', data: [{ name: 'New', sort: 1 }, { name: 'Won', sort: 2 }] });
  assert.equal(stages.data.length, 2);
  const made = await call('items', {
    action: 'create',
    collection: 'organizations',
    data: {
      name: 'Acme',
      type: 'customer',
      contacts: [{ role: 'buyer', contacts_id: { first_name: 'Grace', email: 'grace@acme.test' } }],
      deals: [{
        name: 'Renewal',
        value: '1250.50',
        stage: stages.data[0].id,
        owner: me,
        activities: [{ kind: 'call', subject: 'Say hello', due: '2026-12-01T09:00:00Z', owner: me }],
      }],
    },
    query: { fields: ['*', 'contacts.role', 'contacts.contacts_id.first_name', 'deals.*', 'deals.activities.subject'] },
  });
  const [acme] = made.data;
  assert.equal(acme.contacts[0].contacts_id.first_name, 'Grace');
  assert.equal(acme.deals[0].activities[0].subject, 'Say hello');

  const asked = await call('items', { action: 'read', collection: 'contacts', query: {
    fields: ['first_name', 'organizations.organizations_id.deals.stage.name'],
    filter: { organizations: { organizations_id: { deals: { owner: { email: { _eq: loggia.email } } } } } },
  } });
  assert.deepEqual(asked.data, [{ first_name: 'Grace', organizations: [{ organizations_id: { deals: [{ stage: { name: 'New' } }] } }] }]);

  const moved = await call('items', { action: 'update', collection: 'deals', keys: [acme.deals[0].id], data: { stage: stages.data[1].id } });
  assert.equal(moved.data.length, 1);
  const won = await call('items', { action: 'read', collection: 'deals', query: {
    filter: { stage: { name: { _eq: 'Won' } } }, aggregate: { count: ['*'], sum: ['value'] },
  } });
  assert.equal(Number(won.data[0].count), 1);
  assert.equal(Number(won.data[0].sum.value), 1250.5);

  const twice = await fails('items', { action: 'create', collection: 'contacts', data: { first_name: 'Imposter', email: 'grace@acme.test' } });
  assert.equal(twice.code, 'RECORD_NOT_UNIQUE');
  const kept = await fails('items', { action: 'delete', collection: 'contacts', keys: [acme.contacts[0].contacts_id.id ?? acme.id] });
  assert.ok(kept.hint);
});

test('a blog post is written as a draft, changed and linked', async () => {
  await call('collections', { action: 'create', data: [
    collection('authors', [text('name', { required: true })]),
    collection('posts', [
      text('title', { required: true }), text('slug', {}, { is_unique: true }),
      choice('status', 'draft', 'published'),
      { field: 'content', type: 'text', schema: {}, meta: { interface: 'input-rich-text-md' } },
      text('excerpt'), { field: 'tags', type: 'csv', schema: {}, meta: {} },
      pointer('author'),
    ]),
  ] });
  await relate('posts', 'author', 'authors', 'posts');
  const { collections } = await call('schema');
  assert.ok(collections.includes('posts'));

  const content = '# Why content workflows hurt\n\n“Quotes”, emoji 🎉 and <b>markup</b> stay as they are.\n';
  const post = { title: 'Why content workflows hurt', slug: 'why-content-workflows-hurt', status: 'draft', content, excerpt: 'They do.', tags: ['workflow', 'cms'] };
  const made = await call('items', { action: 'create', collection: 'posts', data: post });
  const [{ id }] = made.data;
  assert.ok(made.receipt);
  const read = await call('items', { action: 'read', collection: 'posts', keys: [id], query: { fields: Object.keys(post) } });
  assert.deepEqual(read.data, [post]);

  await call('items', { action: 'update', collection: 'posts', keys: [id], data: { status: 'published', author: { name: 'Ada' } } });
  const linked = await call('items', { action: 'read', collection: 'authors', query: { fields: ['name', 'posts.title', 'posts.status'] } });
  assert.deepEqual(linked.data, [{ name: 'Ada', posts: [{ title: post.title, status: 'published' }] }]);

  const wrong = await fails('items', { action: 'update', collection: 'posts', keys: [id], data: { status: 'publish', titel: 'x' } });
  const said = JSON.stringify(wrong);
  assert.ok(said.includes('published') && said.includes('title'), said);
  const unchanged = await call('items', { action: 'read', collection: 'posts', keys: [id], query: { fields: ['title', 'status'] } });
  assert.deepEqual(unchanged.data, [{ title: post.title, status: 'published' }]);
});
