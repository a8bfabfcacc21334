import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from '../../embedded/ports.ts';
import { node, Program, type ProgramOptions } from '../../testkit/program.ts';

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'drover-start-'));
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** The program of `npm start`, with only this configuration; `ready` is its URL. */
const npmStart = (environment: Record<string, string>): ProgramOptions => ({
  name: 'npm start',
  command: node(join(import.meta.dirname, '../../embedded/start.ts')),
  environment: { DROVER_DATA_DIR: dataDir, LOG_LEVEL: 'error', ...environment },
  ready: /^ready (http:\/\/\S+)$/,
});

async function refusal(environment: Record<string, string>): Promise<string> {
  const program = Program.spawn(npmStart(environment));
  expect(await program.ended).toBe(1);
  return program.output;
}

test('everything starts with one command, refuses a second start on the same data, keeps the data, and leaves no process behind', async () => {
  const first = await Program.start(npmStart({ PORT: '0' }));
  const url = first.ready;
  expect(first.output.trimEnd().split('\n').at(-1)).toBe(`ready ${url}`);
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

  first.signal('SIGTERM');
  expect(await first.ended).toBe(0);
  const second = await Program.start(npmStart({ PORT: '0' }));
  const again = second.ready;
  expect((await fetch(`${again}/partner/schema-definitions/kept`)).status).toBe(200);
  second.signal('SIGINT');
  expect(await second.ended).toBe(0);
  await expect(fetch(`${again}/readyz`)).rejects.toThrow();
}, 180_000);

test('the reason why it cannot start is printed in one line', async () => {
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
