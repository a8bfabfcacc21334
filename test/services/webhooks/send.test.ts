import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { MAX_WEBHOOK_ANSWER_KEPT_BYTES } from '../../../domain/limits.ts';
import type { Reach } from '../../../services/webhooks/addresses.ts';
import { send } from '../../../services/webhooks/send.ts';

/** Messages that are sent to receivers of this machine, by names that a test resolves. */

let connections = 0;
let answer: RequestListener;
const servers: Server[] = [];
let port = 0;

async function listen(listener: RequestListener): Promise<{ server: Server; port: number }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

beforeAll(async () => {
  const receiver = await listen((request, response) => answer(request, response));
  receiver.server.on('connection', () => (connections += 1));
  port = receiver.port;
});
afterAll(() => {
  for (const server of servers) server.close();
});
afterEach(() => {
  vi.unstubAllEnvs();
  connections = 0;
});

/** Answers with these addresses, one list after the other; the last one stays. */
function resolvingTo(...lists: string[][]): LookupFunction & { asked: number } {
  const lookup = (_: string, options: { all?: boolean }, done: (...result: never[]) => void) => {
    const addresses = (lists[Math.min(lookup.asked, lists.length - 1)] ?? []).map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }));
    lookup.asked += 1;
    done(...((options.all ? [null, addresses] : [null, addresses[0]?.address, addresses[0]?.family]) as never[]));
  };
  lookup.asked = 0;
  return lookup as unknown as LookupFunction & { asked: number };
}

const to = (host: string, reach: Reach, lookup?: LookupFunction) =>
  send({ url: `http://${host}:${port}/hook`, headers: { 'x-one': '1' }, body: '{"é":1}', reach }, lookup);

test('a message is sent whole, and its answer is kept in part', async () => {
  let body = '';
  answer = (request, response) => {
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => response.writeHead(201).end('y'.repeat(5_000)));
  };
  expect(await to('127.0.0.1', 'loopback')).toEqual({ status: 201, body: 'y'.repeat(MAX_WEBHOOK_ANSWER_KEPT_BYTES) });
  expect(body).toBe('{"é":1}');
});

test('an address is refused in whatever form it is written, without a connection', async () => {
  answer = (_, response) => response.end();
  for (const host of [
    '127.0.0.1',
    '2130706433',
    '0177.0.0.1',
    '0x7f.1',
    '127.1',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    'localhost',
  ])
    expect(await to(host, 'public')).toEqual({ error: expect.stringMatching(/is refused: |localhost/) });
  expect(connections).toBe(0);
});

test('a name is resolved once for each connection, and what it resolves to then is checked: one that changes its mind is refused', async () => {
  answer = (_, response) => response.end('ok');
  const changing = resolvingTo(['127.0.0.1'], ['169.254.169.254'], ['::ffff:10.0.0.1'], ['8.8.8.8', '127.0.0.1']);
  expect(await to('rebind.test', 'loopback', changing)).toEqual({ status: 200, body: 'ok' });
  expect(changing.asked).toBe(1);
  expect(await to('rebind.test', 'loopback', changing)).toEqual({ error: expect.stringContaining('linkLocal') });
  expect(await to('rebind.test', 'loopback', changing)).toEqual({ error: expect.stringContaining('private') });
  // one good address does not excuse another one
  expect(await to('rebind.test', 'public', changing)).toEqual({ error: expect.stringContaining('loopback') });
  expect(changing.asked).toBe(4);
  expect(connections).toBe(1);
  expect(await to('rebind.test', 'any', resolvingTo(['127.0.0.1']))).toMatchObject({ status: 200 });
});

test('a redirect is an answer, and is not followed', async () => {
  const paths: (string | undefined)[] = [];
  answer = (request, response) => {
    paths.push(request.url);
    response.writeHead(307, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
  };
  expect(await to('127.0.0.1', 'loopback')).toMatchObject({ status: 307 });
  expect(paths).toEqual(['/hook']);
});

test('proxies of the environment are not used', async () => {
  let proxied = 0;
  const proxy = await listen((_, response) => {
    proxied += 1;
    response.end();
  });
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY'])
    vi.stubEnv(name, `http://127.0.0.1:${proxy.port}`);
  vi.stubEnv('NODE_USE_ENV_PROXY', '1');
  answer = (_, response) => response.writeHead(204).end();
  expect(await to('127.0.0.1', 'loopback')).toMatchObject({ status: 204 });
  expect(await to('name.test', 'loopback', resolvingTo(['127.0.0.1']))).toMatchObject({ status: 204 });
  expect(proxied).toBe(0);
});

test('an answer without an end is read up to its bound; a receiver that closes, and one that is not there, are errors', async () => {
  answer = (_, response) => {
    const more = (): boolean =>
      !response.destroyed && response.write(Buffer.alloc(16_384, 'z'), () => setImmediate(more));
    more();
  };
  const { status, body } = await to('127.0.0.1', 'loopback');
  expect([status, body?.length]).toEqual([200, MAX_WEBHOOK_ANSWER_KEPT_BYTES]);
  answer = (request) => request.socket.destroy();
  expect(await to('127.0.0.1', 'loopback')).toEqual({ error: expect.stringMatching(/hang up|ECONNRESET/) });
  expect(await send({ url: 'http://127.0.0.1:1/', headers: {}, body: '', reach: 'loopback' })).toEqual({
    error: expect.stringContaining('ECONNREFUSED'),
  });
});
