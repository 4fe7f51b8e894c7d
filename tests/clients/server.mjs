// A Loggia of one's own for a test file: a free port, an empty data folder, a known administrator.
//
//   const loggia = await start();
//   loggia.url, loggia.mcp, loggia.token, loggia.email, loggia.password
//   after(() => loggia.stop());

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The longest that a start may take, in milliseconds. */
const START_WITHIN = 30_000;
/** Between two questions whether the server answers, in milliseconds. */
const POLL_EVERY = 25;

const email = 'admin@example.com';

/** The binary under test. `cargo xtask test` says where it is. */
export const binary =
  process.env.CLIENT_TESTS_BINARY ?? fileURLToPath(new URL('../../target/debug/loggia', import.meta.url));

/**
 * An environment without the settings of whoever runs the tests, and with a home folder of its own: some
 * clients keep tokens and locks there.
 */
export function environment(home, extra = {}) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('LOGGIA_'));
  return { ...Object.fromEntries(own), HOME: home, NO_COLOR: '1', ...extra };
}

/**
 * Starts a server on an empty folder and waits until it answers.
 *
 * @param {Record<string, string>} settings configuration keys and values, such as `{'mcp.enabled': 'false'}`
 * @returns {Promise<{url: string, mcp: string, token: string, email: string, password: string, folder: string,
 *   log: string[], environment: Record<string, string>, stop: () => Promise<void>}>}
 */
export async function start(settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'loggia-client-test-'));
  const token = randomBytes(24).toString('hex');
  const password = randomBytes(12).toString('hex');
  const all = {
    'admin.email': email,
    'admin.password': password,
    'admin.token': token,
    'mcp.enabled': 'true',
    'log.format': 'json',
    ...settings,
  };
  const set = Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0', '--data', join(folder, 'data'), ...set], {
    cwd: folder,
    env: environment(folder),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log = [];
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const url = await listening(child, log);
    await answering(url);
    return { url, mcp: `${url}/mcp`, token, email, password, folder, log, environment: environment(folder), stop };
  } catch (error) {
    await stop();
    throw new Error(`${error.message}\n${log.join('\n')}`);
  }
}

/** Waits for the log line that says where the server listens. */
function listening(child, log) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the server did not listen in time')), START_WITHIN);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      const url = listeningUrl(line);
      if (url) {
        clearTimeout(late);
        resolve(url);
      }
    });
  });
}

function listeningUrl(line) {
  try {
    const { fields } = JSON.parse(line);
    return fields?.message === 'listening' ? `http://${fields.address}` : undefined;
  } catch {
    return undefined;
  }
}

async function answering(url) {
  const until = Date.now() + START_WITHIN;
  for (;;) {
    const answer = await fetch(`${url}/server/ping`).catch(() => undefined);
    if (answer?.ok) return;
    if (Date.now() > until) throw new Error(`${url}/server/ping did not answer in time`);
    await new Promise((resolve) => setTimeout(resolve, POLL_EVERY));
  }
}
