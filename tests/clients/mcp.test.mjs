// The official MCP clients connect, see the tools and call every one of them.

import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { after, test } from 'node:test';
import { binary, start } from './server.mjs';

const loggia = await start();
after(() => loggia.stop());
const authorization = { authorization: `Bearer ${loggia.token}` };
const TOOLS = ['changes', 'collections', 'fields', 'items', 'relations', 'schema', 'system-prompt'];
/** Programs that npm installed beside this file. */
const program = (name) => fileURLToPath(new URL(`node_modules/.bin/${name}`, import.meta.url));

/** Calls every tool once; each client makes a collection of its own. */
async function callsEveryTool(call, collection) {
  const succeeds = async (name, args) => {
    const result = await call({ name, arguments: args });
    assert.ok(!result.isError, `${name} ${JSON.stringify(args)}: ${JSON.stringify(result.content)}`);
    assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent, name);
    return result.structuredContent;
  };
  await succeeds('system-prompt', {});
  await succeeds('collections', {
    action: 'create',
    data: [{ collection, schema: {}, meta: {}, fields: [{ field: 'name', type: 'string', schema: {}, meta: {} }] }],
  });
  await succeeds('fields', { action: 'create', collection, data: [{ field: 'parent', type: 'integer', schema: {}, meta: {} }] });
  await succeeds('relations', {
    action: 'create',
    collection,
    field: 'parent',
    data: { collection, field: 'parent', related_collection: collection, schema: { on_delete: 'SET NULL' }, meta: { one_field: 'children' } },
  });
  const schema = await succeeds('schema', { keys: [collection] });
  assert.ok(JSON.stringify(schema).includes('children'));
  const made = await succeeds('items', { action: 'create', collection, data: { name: 'root', children: [{ name: 'leaf' }] } });
  assert.equal(made.data[0].name, 'root');
  const read = await succeeds('items', { action: 'read', collection, query: { fields: ['name', 'children.name'], filter: { parent: { _null: true } } } });
  assert.deepEqual(read.data, [{ name: 'root', children: [{ name: 'leaf' }] }]);
  const keys = [made.data[0].id];
  const edited = await succeeds('items', { action: 'update', collection, keys, data: { name: 'trunk' }, reason: 'a test' });
  const [last] = (await succeeds('changes', { action: 'list', collection })).data;
  assert.deepEqual([last.id, last.tool, last.title], [edited.receipt.change, 'items', 'a test']);
  await succeeds('changes', { action: 'revert', keys: [last.id] });
  const back = await succeeds('items', { action: 'read', collection, keys, query: { fields: ['name'] } });
  assert.deepEqual(back.data, [{ name: 'root' }]);
}

/** Connects, lists, calls, closes. */
async function serves(client, transport, collection) {
  await client.connect(transport);
  try {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name).sort(), TOOLS);
    for (const { name, outputSchema, annotations } of tools) assert.ok(outputSchema && annotations?.title, name);
    await callsEveryTool((request) => client.callTool(request), collection);
  } finally {
    await client.close();
  }
}

const to = (Transport) => new Transport(new URL(loggia.mcp), { requestInit: { headers: authorization } });

test('the TypeScript SDK', () =>
  serves(new Client({ name: 'test', version: '1' }), to(StreamableHTTPClientTransport), 'by_sdk'));

for (const [mode, collection] of [['legacy', 'by_client_legacy'], ['auto', 'by_client_auto'], [{ pin: '2026-07-28' }, 'by_client_pinned']]) {
  test(`the TypeScript client, ${JSON.stringify(mode)}`, () =>
    serves(new Client2({ name: 'test', version: '1' }, { versionNegotiation: { mode } }), to(Transport2), collection));
}

test('a token in the address', async () => {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${loggia.mcp}?access_token=${loggia.token}`)));
  assert.equal((await client.listTools()).tools.length, TOOLS.length);
  await client.close();
});

test('no token and a wrong token', async () => {
  for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
    const client = new Client({ name: 'test', version: '1' });
    await assert.rejects(client.connect(new StreamableHTTPClientTransport(new URL(loggia.mcp), { requestInit: { headers } })));
  }
});

test('mcp-remote in front of it', () =>
  serves(
    new Client({ name: 'test', version: '1' }),
    new StdioClientTransport({
      command: process.execPath,
      args: [program('mcp-remote'), loggia.mcp, '--allow-http', '--transport', 'http-only', '--header', `Authorization: Bearer ${loggia.token}`],
      env: loggia.environment,
      stderr: 'ignore',
    }),
    'by_mcp_remote',
  ));

test('its own bridge from stdio', () =>
  serves(
    new Client({ name: 'test', version: '1' }),
    new StdioClientTransport({
      command: binary,
      args: ['mcp', '--url', loggia.mcp, '--token', loggia.token],
      env: loggia.environment,
      stderr: 'ignore',
    }),
    'by_bridge',
  ));

test('the command line of the Inspector', async () => {
  const inspect = async (...args) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [program('mcp-inspector'), '--cli', loggia.mcp, '--transport', 'http', '--header', `Authorization: Bearer ${loggia.token}`,
        '--format', 'json', '-q', '--stored-auth-only', ...args],
      { env: loggia.environment },
    );
    return JSON.parse(stdout).result;
  };
  const { tools } = await inspect('--method', 'tools/list', '--strict');
  assert.deepEqual(tools.map(({ name }) => name).sort(), TOOLS);
  await callsEveryTool(
    ({ name, arguments: args }) => inspect('--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)),
    'by_inspector',
  );
});
