// The official SDK signs in, models and edits content.

import {
  aggregate,
  authentication,
  createCollection,
  createDirectus,
  createField,
  createItem,
  createItems,
  createRelation,
  createUser,
  deleteCollection,
  deleteItem,
  deleteItems,
  readCollection,
  readCollections,
  readFieldsByCollection,
  readItem,
  readItems,
  readMe,
  readPolicies,
  readRelations,
  readRoles,
  readSettings,
  readSingleton,
  readUsers,
  rest,
  schemaSnapshot,
  serverInfo,
  serverPing,
  staticToken,
  updateItem,
  updateItems,
  updateItemsBatch,
  updateMe,
  updateSettings,
  updateSingleton,
} from '@directus/sdk';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { start } from './server.mjs';

const loggia = await start();
after(() => loggia.stop());
const admin = createDirectus(loggia.url).with(staticToken(loggia.token)).with(rest());

/** The `extensions.code` and status of a request that must fail. */
async function refused(request) {
  try {
    await request;
  } catch (error) {
    return [error.response?.status, error.errors?.[0]?.extensions?.code];
  }
  return assert.fail('the request was not refused');
}

before(async () => {
  const text = (field, schema = {}, meta = {}) => ({ field, type: 'string', schema, meta });
  await admin.request(createCollection({
    collection: 'authors',
    schema: {},
    meta: { note: 'People who write' },
    fields: [text('name', { is_nullable: false }, { required: true })],
  }));
  await admin.request(createCollection({
    collection: 'articles',
    schema: {},
    meta: { sort_field: 'sort' },
    fields: [
      { field: 'id', type: 'uuid', schema: { is_primary_key: true }, meta: { special: ['uuid'] } },
      text('title', {}, { required: true }),
      text('status', { default_value: 'draft' }, {
        interface: 'select-dropdown',
        options: { choices: [{ text: 'Draft', value: 'draft' }, { text: 'Published', value: 'published' }] },
      }),
      { field: 'views', type: 'integer', schema: { default_value: 0 } },
      { field: 'sort', type: 'integer', schema: {} },
      { field: 'created', type: 'timestamp', schema: {}, meta: { special: ['date-created'] } },
      { field: 'extra', type: 'json', schema: {}, meta: { special: ['cast-json'] } },
    ],
  }));
  await admin.request(createCollection({
    collection: 'tags',
    schema: {},
    meta: {},
    fields: [text('id', { is_primary_key: true, max_length: 40 }), text('label')],
  }));
  await admin.request(createCollection({
    collection: 'articles_tags',
    schema: {},
    meta: { hidden: true },
    fields: [{ field: 'articles_id', type: 'uuid', schema: {} }, text('tags_id', { max_length: 40 })],
  }));
  await admin.request(createCollection({ collection: 'home', schema: {}, meta: { singleton: true }, fields: [text('headline')] }));
  await admin.request(createField('articles', { field: 'author', type: 'integer', schema: {}, meta: { special: ['m2o'] } }));
  await admin.request(createField('authors', { field: 'articles', type: 'alias', meta: { special: ['o2m'] } }));
  await admin.request(createField('articles', { field: 'tags', type: 'alias', meta: { special: ['m2m'] } }));
  await admin.request(createRelation({
    collection: 'articles',
    field: 'author',
    related_collection: 'authors',
    meta: { one_field: 'articles', sort_field: null },
    schema: { on_delete: 'SET NULL' },
  }));
  await admin.request(createRelation({
    collection: 'articles_tags',
    field: 'articles_id',
    related_collection: 'articles',
    meta: { one_field: 'tags', junction_field: 'tags_id' },
    schema: { on_delete: 'CASCADE' },
  }));
  await admin.request(createRelation({
    collection: 'articles_tags',
    field: 'tags_id',
    related_collection: 'tags',
    meta: { one_field: null, junction_field: 'articles_id' },
    schema: { on_delete: 'CASCADE' },
  }));
});

test('it signs in with a password, refreshes and signs out', async () => {
  const client = createDirectus(loggia.url).with(authentication('json', { autoRefresh: false })).with(rest());
  await client.login({ email: loggia.email, password: loggia.password });
  const first = await client.getToken();
  assert.ok(first);
  assert.equal((await client.request(readMe({ fields: ['email'] }))).email, loggia.email);
  await client.refresh();
  assert.ok(await client.getToken());
  await client.logout();
  assert.equal(await client.getToken(), null);
});

test('a wrong password is refused', async () => {
  const client = createDirectus(loggia.url).with(authentication('json', { autoRefresh: false })).with(rest());
  assert.deepEqual(await refused(client.login({ email: loggia.email, password: 'wrong' })), [401, 'INVALID_CREDENTIALS']);
  const stranger = createDirectus(loggia.url).with(rest());
  assert.deepEqual(await refused(stranger.request(readItems('articles'))), [403, 'FORBIDDEN']);
});

test('it tells what server this is', async () => {
  assert.equal(await admin.request(serverPing()), 'pong');
  assert.ok((await admin.request(serverInfo())).project);
});

test('it reads the model that it made', async () => {
  const collections = (await admin.request(readCollections())).map(({ collection }) => collection);
  for (const name of ['articles', 'authors', 'tags', 'articles_tags', 'home', 'directus_users']) assert.ok(collections.includes(name), name);
  assert.equal((await admin.request(readCollection('authors'))).meta.note, 'People who write');
  const fields = await admin.request(readFieldsByCollection('articles'));
  const types = Object.fromEntries(fields.map(({ field, type }) => [field, type]));
  assert.deepEqual(types, {
    id: 'uuid', title: 'string', status: 'string', views: 'integer', sort: 'integer', created: 'timestamp',
    extra: 'json', author: 'integer', tags: 'alias',
  });
  const relation = (await admin.request(readRelations())).find((each) => each.collection === 'articles' && each.field === 'author');
  assert.equal(relation.related_collection, 'authors');
  assert.equal(relation.schema.on_delete, 'SET NULL');
  assert.equal(relation.meta.one_field, 'articles');
  const snapshot = await admin.request(schemaSnapshot());
  assert.ok(snapshot.collections.some(({ collection }) => collection === 'articles'));
  assert.ok(snapshot.fields.length > 10 && snapshot.relations.length >= 3);
});

test('it writes through relations of every kind in one request, and reads it back', async () => {
  const made = await admin.request(createItem('articles', {
    title: 'First',
    extra: { deep: [1, { two: null }] },
    author: { name: 'Ada' },
    tags: [{ tags_id: { id: 'rust', label: 'Rust' } }, { tags_id: { id: 'cms', label: 'CMS' } }],
  }, { fields: ['*', { author: ['name'], tags: [{ tags_id: ['id', 'label'] }] }] }));
  assert.equal(made.status, 'draft');
  assert.equal(made.author.name, 'Ada');
  assert.deepEqual(made.extra, { deep: [1, { two: null }] });
  assert.match(made.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(made.tags.map(({ tags_id }) => tags_id.id).sort(), ['cms', 'rust']);

  const [author] = await admin.request(readItems('authors', {
    fields: ['name', { articles: ['title'] }],
    filter: { articles: { tags: { tags_id: { label: { _eq: 'Rust' } } } } },
    deep: { articles: { _sort: ['title'], _limit: 1 } },
  }));
  assert.deepEqual(author, { name: 'Ada', articles: [{ title: 'First' }] });

  const changed = await admin.request(updateItem('articles', made.id, { views: 7, tags: { delete: [(await admin.request(readItem('articles', made.id))).tags[0]] } }));
  assert.equal(changed.views, 7);
  assert.equal(changed.tags.length, 1);
  await admin.request(deleteItem('articles', made.id));
  assert.deepEqual(await refused(admin.request(readItem('articles', made.id))), [403, 'FORBIDDEN']);
});

test('it writes many items, by keys, by query and one by one', async () => {
  const rows = Array.from({ length: 150 }, (_, i) => ({ title: `Title ${i}`, views: i }));
  const made = await admin.request(createItems('articles', rows, { fields: ['id'] }));
  assert.equal(made.length, 150);
  const keys = made.map(({ id }) => id);
  await admin.request(updateItems('articles', keys.slice(0, 2), { status: 'published' }));
  const published = await admin.request(readItems('articles', { filter: { status: { _eq: 'published' } }, fields: ['id'] }));
  assert.equal(published.length, 2);
  await admin.request(updateItemsBatch('articles', [{ id: keys[0], title: 'Other' }, { id: keys[1], title: 'Another' }]));
  assert.equal((await admin.request(readItem('articles', keys[1], { fields: ['title'] }))).title, 'Another');
  const all = await admin.request(updateItems('articles', { filter: { views: { _gte: 0 } }, limit: -1 }, { sort: 1 }, { fields: ['id'], limit: -1 }));
  assert.ok(all.length >= 100);
  const figures = await admin.request(aggregate('articles', { aggregate: { count: '*', max: 'views' }, query: { filter: { sort: { _eq: 1 } } } }));
  assert.equal(Number(figures[0].count), 150);
  assert.equal(Number(figures[0].max.views), 149);
  await admin.request(deleteItems('articles', { filter: { views: { _gte: 0 } }, limit: -1 }));
  assert.deepEqual(await admin.request(readItems('articles')), []);
});

test('it reads and writes the item of a singleton', async () => {
  assert.equal((await admin.request(readSingleton('home'))).headline, null);
  assert.equal((await admin.request(updateSingleton('home', { headline: 'Welcome' }))).headline, 'Welcome');
  assert.equal((await admin.request(readSingleton('home'))).headline, 'Welcome');
});

test('what is wrong is said and nothing changes', async () => {
  assert.deepEqual(await refused(admin.request(createItem('articles', { title: 'x', status: 'unheard-of' }))), [400, 'FAILED_VALIDATION']);
  assert.deepEqual(await refused(admin.request(createItem('articles', { title: 'x', titel: 'y' }))), [400, 'INVALID_PAYLOAD']);
  assert.deepEqual(await refused(admin.request(createItem('articles', { title: 'x', author: 4711 }))), [400, 'INVALID_FOREIGN_KEY']);
  assert.deepEqual(await refused(admin.request(createItems('tags', [{ id: 'twice' }, { id: 'twice' }]))), [400, 'RECORD_NOT_UNIQUE']);
  assert.deepEqual(await admin.request(readItems('articles')), []);
  assert.deepEqual(await admin.request(readItems('tags', { filter: { id: { _eq: 'twice' } } })), []);
});

test('it manages people and settings', async () => {
  const made = await admin.request(createUser({ email: 'second@example.com', password: 'long enough 1', first_name: 'Second' }));
  assert.equal(made.password, '**********');
  assert.deepEqual((await admin.request(readUsers({ filter: { email: { _eq: 'second@example.com' } }, fields: ['first_name'] }))), [{ first_name: 'Second' }]);
  assert.ok((await admin.request(readRoles())).some(({ name }) => name === 'Administrator'));
  assert.ok((await admin.request(readPolicies())).some(({ admin_access }) => admin_access));
  assert.equal((await admin.request(updateMe({ title: 'Founder' }))).title, 'Founder');
  assert.equal((await admin.request(updateSettings({ project_name: 'House' }))).project_name, 'House');
  assert.equal((await admin.request(readSettings())).project_name, 'House');

  const second = createDirectus(loggia.url).with(authentication('json', { autoRefresh: false })).with(rest());
  await second.login({ email: 'second@example.com', password: 'long enough 1' });
  assert.deepEqual(await refused(second.request(readItems('articles'))), [403, 'FORBIDDEN']);
  assert.deepEqual(await refused(second.request(deleteCollection('articles'))), [403, 'FORBIDDEN']);
});
