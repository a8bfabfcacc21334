import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { openBrowser, systemChromium } from '../../../demo/browser.ts';
import { findOnPath } from '../../../embedded/processes.ts';
import { Drover } from '../../../test/harness/drover.ts';
import { ROOT } from '../../../test/harness/repository.ts';

/** The client as it is published, on every platform that is promised. One that is not on this machine is skipped, in one line. */
let drover: Drover;
let server: Server;
let url: string;
let folder: string;
let bundle: string;
beforeAll(async () => {
  drover = await Drover.start();
  folder = await published();
  const stdin = { contents: "export { smoke } from './smoke.mjs';", resolveDir: folder };
  const bundled = await build({ stdin, bundle: true, write: false, format: 'esm', platform: 'browser' });
  bundle = bundled.outputFiles[0]?.text ?? '';
  server = createAdaptorServer({ fetch: answer }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await drover.define('lamp', { watts: { type: 'integer' } });
}, 120_000);
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await drover.stop();
});

/** The service, and a page of the same origin that has the bundle. */
async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === '/smoke.js') return new Response(bundle, { headers: { 'content-type': 'text/javascript' } });
  if (pathname === '/smoke.html') return new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } });
  return drover.app.fetch(request);
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', DENO_DIR: join(folder, 'deno') },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${output}`);
  return output.trim();
}

/** A folder in which the compiled client is installed, beside the programs that use it. */
async function published(): Promise<string> {
  const made = mkdtempSync(join(tmpdir(), 'drover-runtimes-'));
  const source = join(ROOT, 'packages/client');
  const there = join(made, 'node_modules/@drover/client');
  mkdirSync(there, { recursive: true });
  cpSync(join(source, 'package.json'), join(there, 'package.json'));
  const tsc = join(source, 'node_modules/typescript/bin/tsc');
  folder = made;
  await run(process.execPath, [tsc, '-p', source, '--outDir', join(there, 'dist')]);
  const { dependencies } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { dependencies: object };
  for (const name of Object.keys(dependencies))
    symlinkSync(join(ROOT, 'node_modules', name), join(made, 'node_modules', name));
  cpSync(join(import.meta.dirname, 'runtimes'), made, { recursive: true });
  return made;
}

const expected = 'partial_success, a succeeded, b failed, import success, export a c d, DroverError 404';

function toolOf(context: TestContext, name: string): string {
  const tool = findOnPath(name);
  if (tool === null) context.skip(`${name} is not on PATH: the client is not run on it`);
  return tool ?? '';
}

test('Node', async () => {
  expect(await run(process.execPath, ['main.mjs', url, 'node'])).toBe(expected);
}, 60_000);

test('Deno', async (context) => {
  const deno = toolOf(context, 'deno');
  const flags = ['run', '--no-prompt', '--node-modules-dir=manual', '--cached-only', '--allow-net=127.0.0.1'];
  expect(await run(deno, [...flags, 'main.mjs', url, 'deno'])).toBe(expected);
}, 60_000);

test('Bun', async (context) => {
  expect(await run(toolOf(context, 'bun'), ['main.mjs', url, 'bun'])).toBe(expected);
}, 60_000);

test('a browser', async (context) => {
  const executable = systemChromium();
  if (executable === null) context.skip('there is no Chromium: the client is not run in a browser');
  const browser = await openBrowser(executable ?? '');
  try {
    const page = await browser.newPage();
    await page.goto(`${url}/smoke.html`);
    const program = `import('/smoke.js').then(({ smoke }) => smoke(location.origin, 'browser'))`;
    expect(await page.evaluate(program)).toBe(expected);
  } finally {
    await browser.close();
  }
}, 60_000);

test('a bundle has only what its program uses', async () => {
  const contents = "import { isFinished } from '@drover/client'; console.log(isFinished({ status: 'success' }));";
  const built = await build({ stdin: { contents, resolveDir: folder }, bundle: true, write: false, format: 'esm' });
  const text = built.outputFiles[0]?.text ?? '';
  expect(text).toContain('isFinished');
  expect(Buffer.byteLength(text)).toBeLessThan(2_000);
});
