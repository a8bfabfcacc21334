import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isLocalRequest, isLoopback } from '../../../api/middleware/loopback.ts';
import { startApi } from '../../../api/server.ts';
import { ConfigError, loadConfig } from '../../../process/config.ts';
import { Drover } from '../../harness/drover.ts';
import { SECRET } from '../../harness/tokens.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ worker: false });
});
afterAll(() => drover.stop());

const config = (environment: Record<string, string>) =>
  loadConfig({ MONGODB_URI: 'mongodb://127.0.0.1:1', TEMPORAL_ADDRESS: '127.0.0.1:1', PORT: '0', ...environment });
const silent = pino({ level: 'silent' });

test.each(['0.0.0.0', '::', '192.168.1.5', 'drover.example.com', '127.example.com', 'localhost.example.com'])(
  'without tokens an API on %s refuses to start, in one line',
  async (HOST) => {
    const refused = startApi(config({ HOST }), silent);
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(/^HOST is .* set JWT_SECRET or JWKS_URL, or listen on 127\.0\.0\.1$/);
  },
);

test.each(['127.0.0.1', '127.8.9.10', '::1', 'localhost'])('%s is loopback', (host) => {
  expect(isLoopback(host)).toBe(true);
});

test('without tokens an API on loopback starts with a warning; with a secret it listens on any configured address', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  const open = await startApi(config({}), logger);
  await open.stop();
  expect(lines.join('')).toContain('no tokens are configured: only this machine is served');
  lines.length = 0;
  const closed = await startApi(config({ HOST: '0.0.0.0', JWT_SECRET: SECRET }), logger);
  await closed.stop();
  expect(lines.join('')).not.toContain('no tokens');
});

test.each(['short', 'x'.repeat(64), 'changemechangemechangemechangeme'])(
  'the weak secret %j does not start in production, nor on an address that others can reach',
  async (secret) => {
    expect(() => config({ NODE_ENV: 'production', JWT_SECRET: secret })).toThrow('JWT_SECRET: must have at least 32');
    const refused = startApi(config({ HOST: '0.0.0.0', JWT_SECRET: secret }), silent);
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(/^JWT_SECRET: must have at least 32 bytes/);
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    await (await startApi(config({ JWT_SECRET: secret }), logger)).stop();
    expect(lines.join('')).toContain('JWT_SECRET is weak');
  },
);

test('production without tokens does not start, not even on loopback', async () => {
  const refused = startApi(config({ NODE_ENV: 'production' }), silent);
  await expect(refused).rejects.toThrow(ConfigError);
  await expect(refused).rejects.toThrow(/^JWT_SECRET or JWKS_URL must be set when NODE_ENV is production$/);
});

test('a secret and a key set exclude each other', () => {
  expect(() => config({ JWT_SECRET: SECRET, JWKS_URL: 'https://keys.test' })).toThrow('exclude each other');
});

test.each([
  ['rebound.example.com', undefined, 403],
  ['127.0.0.1:8080', 'https://evil.example.com', 403],
  ['127.0.0.1:8080', 'null', 403],
  ['127.0.0.1:8080', 'http://localhost:3000', 200],
  ['[::1]:8080', undefined, 200],
])('without tokens a request to %s from %s is a %i', async (host, origin, status) => {
  const headers = { host, ...(origin !== undefined && { origin }) };
  expect((await drover.request('GET', '/api/batches', { headers })).status).toBe(status);
});

test('without tokens the loopback caller has platform scope, and the header selects the tenant', async () => {
  await drover.define('thing', {});
  const id = await drover.upload('thing', [{ externalId: 'x' }], {}, { tenant: 'blue' });
  expect((await drover.request('GET', `/api/batches/${id}`, { tenant: 'blue' })).status).toBe(200);
  expect((await drover.request('GET', `/api/batches/${id}`)).status).toBe(404);
});

test('forwarded headers do not make a request count as local', () => {
  expect(isLocalRequest({ host: '127.0.0.1.evil.com', origin: undefined })).toBe(false);
  expect(isLocalRequest({ host: 'evil.com#127.0.0.1', origin: undefined })).toBe(false);
  expect(isLocalRequest({ host: '127.0.0.1@evil.com', origin: undefined })).toBe(false);
});
