import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from '../../dev/ports.ts';

const root = join(import.meta.dirname, '../..');

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'drover-start-'));
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** What `npm start` runs, with nothing configured but this. */
function start(environment: Record<string, string>): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, ['--import', 'tsx', 'dev/start.ts'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DROVER_DATA_DIR: dataDir,
      LOG_LEVEL: 'error',
      ...environment,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      output += part;
    });
  }
  return { child, output: () => output };
}

async function refusal(environment: Record<string, string>): Promise<string> {
  const { child, output } = start(environment);
  expect(await once(child, 'close')).toEqual([1, null]);
  return output();
}

async function readyUrl(started: { child: ChildProcess; output: () => string }): Promise<string> {
  for (;;) {
    const url = /^ready (http:\/\/\S+)\n$/m.exec(started.output())?.[1];
    if (url) return url;
    if (started.child.exitCode !== null) throw new Error(started.output());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('everything starts with one command, refuses a second one over its data, keeps that, and ends with nothing left', async () => {
  const first = start({ PORT: '0' });
  const url = await readyUrl(first);
  expect(first.output().trimEnd().split('\n').at(-1)).toBe(`ready ${url}`);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const definition = { name: 'kept', schema: { type: 'object', properties: { externalId: { type: 'string' } } } };
  const created = await fetch(`${url}/partner/schema-definitions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(definition),
  });
  expect(created.status).toBe(201);

  expect(await refusal({ PORT: '0' })).toMatch(
    /^drover cannot start: the data in .* is in use by another npm start.*\n$/,
  );

  first.child.kill('SIGTERM');
  expect(await once(first.child, 'exit')).toEqual([0, null]);
  const second = start({ PORT: '0' });
  const again = await readyUrl(second);
  expect((await fetch(`${again}/partner/schema-definitions/kept`)).status).toBe(200);
  second.child.kill('SIGINT');
  expect(await once(second.child, 'exit')).toEqual([0, null]);
  await expect(fetch(`${again}/readyz`)).rejects.toThrow();
}, 180_000);

test('what keeps it from starting is told in one line', async () => {
  const port = await freePort();
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  expect(await refusal({ PORT: String(port) })).toMatch(/^drover cannot start: port \d+ of 127.0.0.1 is in use: .*\n$/);
  other.close();
  expect(await refusal({ PORT: 'eighty' })).toMatch(/^drover cannot start: PORT: .*\n$/);
  expect(await refusal({ NODE_ENV: 'production' })).toMatch(
    /^drover cannot start: MONGODB_URI and TEMPORAL_ADDRESS .*\n$/,
  );
});
