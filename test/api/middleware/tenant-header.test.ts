import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { namedTenant } from '../../../api/middleware/tenant-header.ts';
import { type RunningApi, startApi } from '../../../api/server.ts';
import { loadConfig } from '../../../process/config.ts';

let api: RunningApi;
let port: number;

beforeAll(async () => {
  const config = loadConfig({
    MONGODB_URI: inject('mongodbUri'),
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    MONGODB_DATABASE: `tenant-header-${process.pid}-${Date.now()}`,
    TEMPORAL_TASK_QUEUE: `tenant-header-${process.pid}`,
    PORT: '0',
  });
  api = await startApi(config, pino({ level: 'silent' }));
  port = Number(new URL(api.url).port);
});
afterAll(() => api.stop());

/** Sends these bytes as a request, and reads the answer to its end. */
async function ask(path: string, ...lines: readonly string[]): Promise<{ status: number; text: string }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const head = [`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, 'Connection: close', ...lines];
  socket.write(`${head.join('\r\n')}\r\n\r\n`, 'utf8');
  let text = '';
  for await (const bytes of socket) text += bytes;
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), text };
}

describe('over a socket', () => {
  test.each(['/api/batches', '/engine-rest/batch', '/partner/schema-definitions'])(
    'a name beyond ASCII, sent as UTF-8 or Latin-1, is a 400 that says what to send: %s',
    async (path) => {
      for (const name of ['café', '日本', 'é', 'a\u00a0b']) {
        const { status, text } = await ask(path, `reach-tenant-id: ${name}`);
        expect([name, status]).toEqual([name, 400]);
        expect(text).toContain('reach-tenant-id*');
      }
    },
  );

  test.each([
    [['reach-tenant-id: a', 'reach-tenant-id: b']],
    [['reach-tenant-id: a', 'Reach-Tenant-Id: a']],
    [['reach-tenant-id: a', 'reach-tenant-id:']],
    [['reach-tenant-id: a, b']],
    [['reach-tenant-id: a', "reach-tenant-id*: UTF-8''a"]],
    [["reach-tenant-id*: UTF-8''a", "reach-tenant-id*: UTF-8''b"]],
  ])('given twice it is a 400: %j', async (lines) => {
    expect((await ask('/api/batches', ...lines)).status).toBe(400);
  });

  test.each([
    ['reach-tenant-id: a'],
    ['reach-tenant-id: tenant 7 (old) %C3%A9'],
    ['reach-tenant-id:'],
    ["reach-tenant-id*: UTF-8''caf%C3%A9"],
    ["reach-tenant-id*: utf-8'de'a%2Cb"],
  ])('%s is taken', async (line) => {
    expect((await ask('/api/batches', line)).status).toBe(200);
  });
});

const named = (plain?: string, extended?: string) => namedTenant({ plain, extended });

test.each([
  ["UTF-8''caf%C3%A9", 'café'],
  ["utf-8'fr'%e6%97%a5%E6%9C%AC", '日本'],
  ["UTF-8''a%2Cb", 'a,b'],
  ["UTF-8''100%25", '100%'],
  ["UTF-8''plain", 'plain'],
  [`UTF-8''${'%F0%9F%98%80'.repeat(64)}`, '😀'.repeat(64)],
])('reach-tenant-id*: %s names a tenant', (value, name) => {
  expect(named(undefined, value)).toBe(name);
});

test.each([
  'café',
  'plain',
  "UTF-8''",
  "UTF-8''%C3",
  "UTF-8''%ED%A0%80",
  "UTF-8''a%00b",
  "UTF-8''a%0Ab",
  "UTF-8''a b",
  "UTF-8''a,b",
  "UTF-8''a%",
  "UTF-8''a%4",
  "ISO-8859-1''%e9",
  `UTF-8''${'a'.repeat(129)}`,
])('reach-tenant-id*: %s is a 400', (value) => {
  expect(() => named(undefined, value)).toThrow(/^reach-tenant-id\*: /);
});

test('a name in the plain header is taken literally, percent signs included', () => {
  expect(named('a%20b')).toBe('a%20b');
  expect(named('x'.repeat(128))).toBe('x'.repeat(128));
  expect(() => named('x'.repeat(129))).toThrow('at most 128');
  expect(() => named('a\tb')).toThrow('ASCII');
  expect(named('')).toBeNull();
  expect(named()).toBeNull();
});
