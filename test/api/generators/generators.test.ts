import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { findOnPath } from '../../../embedded/processes.ts';
import { Drover } from '../../harness/drover.ts';

/**
 * Clients that others' tools generate from the OpenAPI document upload a batch (docs/generators.md). A tool that is not there is
 * skipped, in one line.
 */
let drover: Drover;
let server: Server;
let url: string;
beforeAll(async () => {
  drover = await Drover.start();
  server = createAdaptorServer({ fetch: drover.app.fetch }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await drover.define('person', { name: { type: 'string' } });
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await drover.stop();
});

/** Runs a program to its end. @returns its output. @throws with it unless it ends with 0. */
async function run(folder: string, program: string, ...args: string[]): Promise<string> {
  const child = spawn(program, args, { cwd: folder, env: { ...process.env, GOFLAGS: '-mod=mod' } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${output}`);
  return output;
}

/** A folder with the document and a program of this folder. */
async function folderWith(program: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'drover-generated-'));
  writeFileSync(join(folder, 'openapi.json'), await (await drover.app.request('/openapi.json')).text());
  cpSync(join(import.meta.dirname, program), join(folder, program));
  return folder;
}

function toolOf(context: TestContext, name: string): string {
  const tool = findOnPath(name);
  if (tool === null) context.skip(`${name} is not on PATH: its client is not generated`);
  return tool ?? '';
}

test('openapi-python-client', { timeout: 180_000 }, async (context) => {
  const tool = toolOf(context, 'openapi-python-client');
  const folder = await folderWith('upload.py');
  const output = await run(folder, tool, 'generate', '--path', 'openapi.json', '--output-path', 'client');
  // what it cannot do is known: the content of imports
  const left = [...output.matchAll(/^WARNING parsing (.*) within/gm)].map(([, operation]) => operation);
  expect(left).toEqual(['POST /api/imports', 'PUT /api/imports/{importId}/parts/{part}']);
  // its own Python has what its clients need
  expect(await run(folder, join(dirname(tool), 'python3'), 'upload.py', url)).toBe('success 2 of 2\n');
});

test('oapi-codegen', { timeout: 300_000 }, async (context) => {
  const tool = toolOf(context, 'oapi-codegen');
  const go = toolOf(context, 'go');
  const folder = await folderWith('upload.go');
  const module = join(folder, 'drover');
  await run(folder, 'mkdir', module);
  await run(
    folder,
    tool,
    '-generate',
    'types,client',
    '-package',
    'drover',
    '-o',
    join(module, 'drover.go'),
    'openapi.json',
  );
  writeFileSync(join(folder, 'go.mod'), 'module smoke\n\ngo 1.24\n');
  await run(folder, go, 'get', 'github.com/oapi-codegen/runtime').catch((error: unknown) =>
    context.skip(`the Go module that its clients need cannot be fetched: ${String(error).slice(0, 100)}`),
  );
  expect(await run(folder, go, 'run', '.', url)).toBe('success 2 of 2\n');
});
