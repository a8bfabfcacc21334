import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { type RunningApi, startApi } from '../../../api/server.ts';
import { loadConfig } from '../../../process/config.ts';

const MAX_REQUESTS = 4;
const MAX_STREAMS = 6;
const MAX_BYTES = 400_000;
const MAX_TENANT_BYTES = 150_000;

let api: RunningApi;
let port: number;
const sockets: Socket[] = [];
const streams: AbortController[] = [];

beforeAll(async () => {
  const config = loadConfig({
    MONGODB_URI: inject('mongodbUri'),
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    MONGODB_DATABASE: `overload-${process.pid}-${Date.now()}`,
    TEMPORAL_TASK_QUEUE: `overload-${process.pid}`,
    PORT: '0',
    MAX_REQUESTS_PER_TENANT: String(MAX_REQUESTS),
    MAX_EVENT_STREAMS_PER_TENANT: String(MAX_STREAMS),
    MAX_BODY_BYTES_IN_FLIGHT: String(MAX_BYTES),
    MAX_BODY_BYTES_PER_TENANT: String(MAX_TENANT_BYTES),
    MAX_CONNECTIONS: '60',
    BODY_LIMIT_BYTES: '150000',
    REQUEST_TIMEOUT_SECONDS: '4',
  });
  api = await startApi(config, pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }));
  port = Number(new URL(api.url).port);
  const definition = { name: 'thing', schema: { type: 'object', properties: { note: { type: 'string' } } } };
  expect((await ask('POST', '/partner/schema-definitions', definition)).status).toBe(201);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const stream of streams.splice(0)) stream.abort();
});
afterAll(() => api.stop());

/** The tenant of a request by default; without the header it would be the operator. */
const TENANT = { 'reach-tenant-id': 'default' };

const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${api.url}${path}`, {
    method,
    headers: { ...TENANT, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });

/** A connection that a test writes to, and the answer that it receives. */
async function open(): Promise<{ socket: Socket; received: () => string; closed: Promise<unknown> }> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, received: () => text, closed };
}

const head = (lines: string): string => `${lines}\r\nHost: 127.0.0.1:${port}\r\n`;
const upload = (length: number, tenant = 'default'): string =>
  `${head('POST /api/resources/thing/batch HTTP/1.1')}Content-Type: application/json\r\nreach-tenant-id: ${tenant}\r\nContent-Length: ${length}\r\n\r\n`;
const resources = (length: number): string => {
  const frame = JSON.stringify({ resources: [{ externalId: 'x', note: '' }] });
  return frame.replace('""', JSON.stringify('n'.repeat(length - frame.length)));
};

/** Bytes of bodies that the API holds. */
const bodyBytes = async (): Promise<number> =>
  Number(/^drover_request_body_bytes (\d+)$/m.exec(await (await ask('GET', '/metrics')).text())?.[1]);

async function uploaded(): Promise<string> {
  const answer = await ask('POST', '/api/resources/thing/batch', { resources: [{ externalId: 'a' }] });
  return ((await answer.json()) as { data: { batchId: string } }).data.batchId;
}

/** Watches a batch, until `streams` is emptied or the stream is cancelled; answers with the status. */
async function watch(id: string): Promise<number> {
  const ended = new AbortController();
  streams.push(ended);
  return (await fetch(`${api.url}/api/batches/${id}/events`, { headers: TENANT, signal: ended.signal })).status;
}

test('a tenant with too many requests at once gets a 429 with Retry-After; others are served, and so is the tenant later', async () => {
  // requests that are being received
  const held = await Promise.all(Array.from({ length: MAX_REQUESTS }, open));
  for (const { socket } of held) socket.write(`${upload(100)}{`);
  await expect.poll(bodyBytes).toBe(MAX_REQUESTS);
  const refused = await ask('GET', '/api/batches');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect(await refused.json()).toMatchObject({ success: false, message: 'too many requests of this tenant at once' });
  expect((await ask('GET', '/api/batches', undefined, { 'reach-tenant-id': 'other' })).status).toBe(200);
  const facade = await ask('GET', '/engine-rest/batch');
  expect([facade.status, await facade.json()]).toEqual([
    429,
    { type: 'RestException', message: expect.any(String), code: null },
  ]);
  for (const { socket } of held) socket.destroy();
  await expect.poll(async () => (await ask('GET', '/api/batches')).status).toBe(200);
});

test("a tenant named default uses nothing of the operator's share", async () => {
  const held = await Promise.all(Array.from({ length: MAX_REQUESTS }, open));
  for (const { socket } of held) socket.write(`${upload(100)}{`);
  await expect.poll(bodyBytes).toBe(MAX_REQUESTS);
  expect((await ask('GET', '/engine-rest/batch')).status).toBe(429);
  expect((await fetch(`${api.url}/engine-rest/batch`)).status).toBe(200);
  for (const { socket } of held) socket.destroy();
  await expect.poll(bodyBytes).toBe(0);
});

test('a tenant with many event streams can still upload; too many of them are a 429, and closing one makes room', async () => {
  const id = await uploaded();
  // one after the other: each is a request until its stream begins
  for (let n = 0; n < MAX_STREAMS; n++) expect(await watch(id)).toBe(200);
  expect((await ask('POST', '/api/resources/thing/batch', { resources: [{ externalId: 'b' }] })).status).toBe(202);
  for (let n = 0; n < 2 * MAX_REQUESTS; n++) {
    const refused = await ask('GET', `/api/batches/${id}/events`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await refused.json()).toMatchObject({ message: 'too many event streams of this tenant at once' });
  }
  // a refused stream does not count
  expect((await ask('GET', '/api/batches')).status).toBe(200);
  streams[0]?.abort();
  await expect.poll(() => watch(id)).toBe(200);
});

test("a tenant's bodies that are received at once are bounded, and leave room for those of others", async () => {
  const slow = await open();
  const body = resources(140_000);
  slow.socket.write(upload(body.length) + body.slice(0, 130_000));
  await expect.poll(bodyBytes).toBe(130_000);
  const refused = await ask('POST', '/api/resources/thing/batch', resources(90_000));
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect(await refused.json()).toMatchObject({ message: 'too many bytes of this tenant are being received at once' });
  const other = { 'reach-tenant-id': 'other' };
  expect((await ask('POST', '/api/resources/thing/batch', resources(120_000), other)).status).toBe(202);
  expect((await ask('GET', '/api/batches')).status).toBe(200);
  slow.socket.write(body.slice(130_000));
  await expect.poll(slow.received).toMatch(/^HTTP\/1\.1 202/);
  expect((await ask('POST', '/api/resources/thing/batch', resources(90_000))).status).toBe(202);
  await expect.poll(bodyBytes).toBe(0);
});

test('however many tenants send bodies, there is room for the body of another tenant', async () => {
  const hogs = await Promise.all(Array.from({ length: 6 }, open));
  for (const [n, { socket }] of hogs.entries()) socket.write(`${upload(149_000, `hog ${n}`)}${'{'.repeat(140_000)}`);
  await expect.poll(() => hogs.filter(({ received }) => received().includes(' 429 ')).length).toBeGreaterThan(0);
  const next = { 'reach-tenant-id': 'next' };
  expect((await ask('POST', '/api/resources/thing/batch', resources(20_000), next)).status).toBe(202);
});

test('a caller that sends its head byte by byte is disconnected after the time limit', async () => {
  const slow = await open();
  slow.socket.write('GET /api/batches HTTP/1.1\r\nHost: x\r\n');
  const drip = setInterval(() => slow.socket.write('X-A: b\r\n'), 100);
  await slow.closed;
  clearInterval(drip);
  expect(slow.received()).toMatch(/^HTTP\/1\.1 408/);
});

test('a caller that sends its body byte by byte is disconnected, and the memory of its body is freed', async () => {
  const slow = await Promise.all(Array.from({ length: 3 }, open));
  for (const { socket } of slow) socket.write(`${upload(149_000)}${'{'.repeat(60_000)}`);
  await Promise.all(slow.map(({ closed }) => closed));
  expect((await ask('POST', '/api/resources/thing/batch', resources(140_000))).status).toBe(202);
});

test('a caller that disconnects in the middle of its body leaves nothing behind', async () => {
  const gone = await Promise.all(Array.from({ length: 3 }, open));
  for (const { socket } of gone) socket.write(`${upload(149_000)}${'{'.repeat(60_000)}`);
  for (const { socket } of gone) socket.destroy();
  await expect.poll(async () => (await ask('POST', '/api/resources/thing/batch', resources(140_000))).status).toBe(202);
});

test('a body past the limit is a 413, whether or not its length is announced', async () => {
  expect((await ask('POST', '/api/resources/thing/batch', resources(150_001))).status).toBe(413);
  const chunked = await open();
  const half = 'x'.repeat(0x14000);
  chunked.socket.write(
    `${head('POST /api/resources/thing/batch HTTP/1.1')}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  chunked.socket.write(`14000\r\n${half}\r\n14000\r\n${half}\r\n`);
  await expect.poll(chunked.received).toMatch(/^HTTP\/1\.1 413/);
});

test.each([
  ['GET', 'Transfer-Encoding: chunked', (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`],
  ['HEAD', 'Transfer-Encoding: chunked', (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`],
  ['GET', 'Content-Length: ', (body: string) => body],
  ['HEAD', 'Content-Length: ', (body: string) => body],
])('a body with a %s (%s) is a 400, and is never taken for the next request', async (method, header, written) => {
  const { socket, received } = await open();
  const body = `${head('DELETE /partner/schema-definitions/thing HTTP/1.1')}\r\n`;
  const length = header.endsWith(' ') ? body.length : '';
  socket.write(`${head(`${method} /api/batches HTTP/1.1`)}${header}${length}\r\n\r\n${written(body)}`);
  await expect.poll(received).toMatch(/^HTTP\/1\.1 400 /);
  if (method === 'GET') await expect.poll(received).toMatch(/body: a GET takes none/);
  // if the connection is kept, the next answer belongs to the next request
  socket.write(`${head('GET /healthz HTTP/1.1')}Connection: close\r\n\r\n`);
  await expect.poll(() => socket.closed || socket.readableEnded).toBe(true);
  expect([...received().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status).slice(1)).toEqual(
    received().includes('Connection: close\r\n') && !received().includes('HTTP/1.1 200') ? [] : ['200'],
  );
  expect((await ask('GET', '/partner/schema-definitions/thing')).status).toBe(200);
});

test('a compressed body is a 415 and is not unpacked', async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000, ' '));
  for (const path of ['/api/resources/thing/batch', '/partner/schema-definitions', '/engine-rest/process-instance']) {
    const headers = { ...TENANT, 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const answer = await fetch(`${api.url}${path}`, { method: 'POST', headers, body: bomb });
    expect([path, answer.status]).toEqual([path, 415]);
  }
});

test('a head that is too large is a 431', async () => {
  const large = await open();
  large.socket.write(`${head('GET /api/batches HTTP/1.1')}X-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
  await expect.poll(large.received).toMatch(/^HTTP\/1\.1 431/);
});

test.each([
  'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
  'GET //\\evil HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
  'NONSENSE\r\n\r\n',
  'GET http://[::1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
])('what is no proper request is refused and does no harm: %j', async (bytes) => {
  const bad = await open();
  bad.socket.write(bytes);
  await expect.poll(bad.received).toMatch(/^HTTP\/1\.1 4\d\d/);
  expect(bad.received()).not.toMatch(/\.ts:|node_modules|Error:/);
  expect((await ask('GET', '/healthz')).status).toBe(200);
});

test('connections above the limit are closed at once, and closing one makes room', async () => {
  const many = await Promise.all(Array.from({ length: 80 }, open));
  const closed = Promise.all(many.slice(60).map((each) => each.closed));
  await closed;
  for (const { socket } of many) socket.destroy();
  await expect.poll(async () => (await ask('GET', '/healthz').catch(() => null))?.status).toBe(200);
});
