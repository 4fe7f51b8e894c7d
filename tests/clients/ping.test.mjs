import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { start } from './server.mjs';

const loggia = await start();
after(() => loggia.stop());

test('a server that has just started answers', async () => {
  const answer = await fetch(`${loggia.url}/server/ping`);
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), 'pong');
});

test('the administrator of the configuration may sign in', async () => {
  const answer = await fetch(`${loggia.url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: loggia.email, password: loggia.password }),
  });
  assert.equal(answer.status, 200);
  const { data } = await answer.json();
  assert.ok(data.access_token);
});

test('the token of the configuration is the administrator', async () => {
  const answer = await fetch(`${loggia.url}/users/me`, { headers: { authorization: `Bearer ${loggia.token}` } });
  assert.equal(answer.status, 200);
  const { data } = await answer.json();
  assert.equal(data.email, loggia.email);
});

test('the log holds neither password nor token', () => {
  const log = loggia.log.join('\n');
  assert.ok(!log.includes(loggia.password));
  assert.ok(!log.includes(loggia.token));
});
