import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { readDashboard } from '../../api/dashboard/files.ts';
import { dashboardOfCheckout } from '../../embedded/dashboard.ts';
import { Drover } from '../harness/drover.ts';
import { TOKEN_ENVIRONMENT } from '../harness/tokens.ts';

let drover: Drover;
let app: ReturnType<typeof createApp>;

beforeAll(async () => {
  drover = await Drover.start({ worker: false, environment: TOKEN_ENVIRONMENT });
  const folder = await dashboardOfCheckout(() => undefined);
  if (folder === null) throw new Error('the dashboard cannot be built');
  app = createApp(drover.services, await readDashboard(folder));
}, 120_000);
afterAll(() => drover.stop());

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
const page = async (): Promise<Response> => app.request('/', { headers: BROWSER });
const assetsOf = (html: string): string[] =>
  [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path = '']) => path);

test('a browser gets the page without a token, with a policy that runs nothing but its own files', async () => {
  const answer = await page();
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(answer.headers.get('cache-control')).toBe('no-cache');
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).not.toMatch(/unsafe|data:|https?:|\*/);
  const html = await answer.text();
  expect(html).not.toMatch(/<script(?![^>]* src=)|<style|https?:/);
  expect(assetsOf(html).length).toBeGreaterThanOrEqual(3);
});

test.each(['application/json', '*/*', ''])(
  'who accepts "%s" gets the JSON answer of every other path',
  async (accept) => {
    const answer = await app.request('/', { headers: accept ? { accept } : {} });
    expect([answer.status, answer.headers.get('vary')]).toEqual([401, 'Accept']);
    expect(await answer.json()).toMatchObject({ success: false });
  },
);

test('a browser that opens another path gets the JSON answer too: the page has no other path', async () => {
  for (const path of ['/batches', '/api/nothing', '/index.html'])
    expect((await app.request(path, { headers: BROWSER })).status).toBe(401);
});

test('assets are cached for ever by names with a hash; unknown ones are a 404', async () => {
  for (const path of assetsOf(await (await page()).text())) {
    const answer = await app.request(`/${path}`, { headers: { 'accept-encoding': 'gzip' } });
    expect(path).toMatch(/^assets\/\w+-[\w-]{8}\.(js|css|svg)$/);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  }
  for (const path of ['/assets/none.js', '/assets/..%2Findex.html']) expect((await app.request(path)).status).toBe(404);
});

test('its code is that for users, also where this process is none of production', async () => {
  expect(process.env.NODE_ENV).toBe('test');
  for (const path of assetsOf(await (await page()).text()).filter((asset) => asset.endsWith('.js')))
    expect(await (await app.request(`/${path}`)).text()).not.toContain('jsxDEV');
});

const LIMIT = 300 * 1024;

test('the first view is below 300 kB, as it is sent', async () => {
  const html = await (await page()).text();
  const sizes = await Promise.all(
    assetsOf(html).map(async (path) => gzipSync(await (await app.request(`/${path}`)).arrayBuffer()).length),
  );
  const total = sizes.reduce((sum, size) => sum + size, gzipSync(html).length);
  expect(total).toBeGreaterThan(50 * 1024);
  expect(total).toBeLessThan(LIMIT);
});
