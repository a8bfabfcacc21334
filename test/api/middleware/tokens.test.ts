import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { AUDIENCE, bearer, ISSUER, signed } from '../../harness/tokens.ts';

let keys: { keys: unknown[] } = { keys: [] };
let answer: 'keys' | 'error' = 'keys';
let fetches = 0;
let server: Server;
let drover: Drover;
let url: string;

beforeAll(async () => {
  server = createServer((_, response) => {
    fetches += 1;
    response.statusCode = answer === 'keys' ? 200 : 500;
    response.setHeader('content-type', 'application/json').end(answer === 'keys' ? JSON.stringify(keys) : '{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  drover = await open();
});
afterAll(async () => {
  await drover.stop();
  server.close();
});

const open = (): Promise<Drover> =>
  Drover.start({ worker: false, environment: { JWKS_URL: url, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE } });

async function keyPair(alg: string, kid?: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  const jwk = { ...(await exportJWK(publicKey)), ...(kid !== undefined && { kid }), alg };
  const sign = (expires = '1h'): Promise<string> =>
    new SignJWT({ platform: 'acme', tenant: 'blue', scope: 'tenant', iss: ISSUER, aud: AUDIENCE })
      .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
      .setExpirationTime(expires)
      .sign(privateKey);
  return { jwk, publicKey, sign };
}

const statusWith = async (api: Drover, token: string): Promise<number> =>
  (await api.request('GET', '/api/batches', { headers: bearer(token) })).status;

test.each(['RS256', 'PS256', 'ES256', 'EdDSA'])(
  'a token signed with %s by a key of the set is accepted',
  async (alg) => {
    const { jwk, sign } = await keyPair(alg, alg);
    keys = { keys: [jwk] };
    const api = await open();
    expect(await statusWith(api, await sign())).toBe(200);
    await api.stop();
  },
);

test('a token signed by another key is a 401', async () => {
  const [known, other] = [await keyPair('RS256', 'same'), await keyPair('RS256', 'same')];
  keys = { keys: [known.jwk] };
  const api = await open();
  expect(await statusWith(api, await other.sign())).toBe(401);
  expect(await statusWith(api, await (await keyPair('RS256', 'unknown')).sign())).toBe(401);
  await api.stop();
});

test('a public key is not accepted as a secret: HS256 with it is a 401', async () => {
  const { jwk } = await keyPair('RS256', 'k');
  keys = { keys: [jwk] };
  const secret = JSON.stringify(jwk);
  expect(await statusWith(drover, await signed({ platform: 'acme', scope: 'platform' }, { secret }))).toBe(401);
});

test('a key set that cannot be fetched is a 503 with Retry-After; requests succeed once it is available again', async () => {
  const { jwk, sign } = await keyPair('ES256', 'e');
  keys = { keys: [jwk] };
  answer = 'error';
  const api = await open();
  const refused = await api.request('GET', '/api/batches', { headers: bearer(await sign()) });
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('5');
  answer = 'keys';
  await expect.poll(async () => statusWith(api, await sign()), { timeout: 10_000 }).toBe(200);
  await api.stop();
});

test('a key set that cannot be fetched is requested once every few seconds, not for each request', async () => {
  const { jwk, sign } = await keyPair('ES256', 'once');
  keys = { keys: [jwk] };
  answer = 'error';
  const api = await open();
  const before = fetches;
  const token = await sign();
  for (let round = 0; round < 5; round++) {
    const statuses = await Promise.all(Array.from({ length: 10 }, () => statusWith(api, token)));
    expect(new Set(statuses)).toEqual(new Set([503]));
  }
  expect(fetches - before).toBe(1);
  answer = 'keys';
  await api.stop();
});

test('tokens signed with an unknown key neither block other tokens nor fetch the set each time', async () => {
  const [known, unknown] = [await keyPair('ES256', 'known'), await keyPair('ES256', 'unknown')];
  keys = { keys: [known.jwk] };
  const api = await open();
  expect(await statusWith(api, await known.sign())).toBe(200);
  const before = fetches;
  const token = await unknown.sign();
  for (let n = 0; n < 10; n++) expect(await statusWith(api, token)).toBe(401);
  expect(await statusWith(api, await known.sign())).toBe(200);
  expect(fetches).toBe(before);
  await api.stop();
});

test('a token without kid is tried with each key of the set', async () => {
  const pairs = await Promise.all([keyPair('ES256'), keyPair('ES256'), keyPair('RS256'), keyPair('ES256')]);
  const [first, second, rsa, foreign] = pairs;
  keys = { keys: [first?.jwk, second?.jwk, rsa?.jwk].map((jwk, n) => ({ ...jwk, kid: `key ${n}` })) };
  const api = await open();
  for (const pair of [first, second, rsa]) expect(await statusWith(api, (await pair?.sign()) ?? '')).toBe(200);
  expect(await statusWith(api, (await foreign?.sign()) ?? '')).toBe(401);
  const expired = await second?.sign('-1h');
  const refused = await api.request('GET', '/api/batches', { headers: bearer(expired ?? '') });
  expect([refused.status, refused.body]).toEqual([401, expect.objectContaining({ message: 'the token has expired' })]);
  await api.stop();
});
