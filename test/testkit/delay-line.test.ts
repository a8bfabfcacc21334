import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DelayLine } from '../../testkit/delay-line.ts';

/** In each direction: more than the machine's own delays. */
const DELAY_MS = 50;

let server: Server;
let line: DelayLine;
let client: Socket;
/** The connection at its far end. */
let accepted: Socket;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted = socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  line = new DelayLine(DELAY_MS);
  client = connect(await line.before('127.0.0.1', (server.address() as AddressInfo).port), '127.0.0.1');
  client.on('error', () => undefined);
  await Promise.all([once(client, 'connect'), once(server, 'connection')]);
});
afterEach(async () => {
  client.destroy();
  await line.stop();
  server.close();
});

/** What comes back, until so many bytes are there or nothing more comes. */
async function received(bytes = Number.POSITIVE_INFINITY): Promise<string> {
  let text = '';
  for await (const part of client) {
    text += part;
    if (text.length >= bytes) break;
  }
  return text;
}

test('a round trip takes the delay of both directions', async () => {
  const since = performance.now();
  client.write('x');
  await once(client, 'data');
  expect(performance.now() - since).toBeGreaterThanOrEqual(2 * DELAY_MS);
});

test('what is sent while something is under way takes no longer, and arrives in order', async () => {
  const sent = Array.from({ length: 200 }, (_, n) => `${n},`);
  const since = performance.now();
  const all = received(sent.join('').length);
  for (const part of sent) {
    client.write(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await all).toBe(sent.join(''));
  // one after the other they would take 200 times as long
  expect(performance.now() - since).toBeLessThan(20 * 2 * DELAY_MS);
});

test('more than can wait unread arrives whole', async () => {
  const text = 'abcdefgh'.repeat(1024 ** 2);
  client.end(text);
  const arrived = await received();
  expect(arrived.length).toBe(text.length);
  expect(arrived === text).toBe(true);
});

test('the end of one direction leaves the other one open', async () => {
  client.end('last words');
  expect(await received()).toBe('last words');
});

test('a connection that one side has cut is cut on the other', async () => {
  const closed = once(accepted, 'close');
  client.resetAndDestroy();
  await closed;
  expect(accepted.destroyed).toBe(true);
});
