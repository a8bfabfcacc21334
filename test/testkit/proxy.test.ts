import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TcpProxy } from '../../testkit/proxy.ts';

/** A server that echoes, and remembers what it received. */
let heard: string;
let server: Server;
let proxy: TcpProxy;

beforeEach(async () => {
  heard = '';
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      heard += chunk;
      socket.write(`echo ${chunk}`);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await TcpProxy.start({ to: `127.0.0.1:${(server.address() as AddressInfo).port}` });
});
afterEach(async () => {
  await proxy.stop();
  server.close();
});

async function dial(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** The answer, or null if the connection is cut. */
async function ask(socket: Socket, text: string): Promise<string | null> {
  const answer = Promise.race([
    once(socket, 'data').then(([data]) => String(data)),
    once(socket, 'close').then(() => null),
  ]);
  socket.write(text);
  return answer;
}

test('a request passes if no fault is armed for it', async () => {
  expect(await ask(await dial(), 'one')).toBe('echo one');
});

test('the request of a dropped answer went through', async () => {
  proxy.arm({ fault: 'dropAnswer', ms: 0, texts: ['insert'] });
  const socket = await dial();
  expect(await ask(socket, 'find')).toBe('echo find');
  expect(await ask(socket, 'insert')).toBeNull();
  expect(heard).toBe('findinsert');
  expect(proxy.counts.dropAnswer).toBe(1);
});

test('a cut request arrives by half at most', async () => {
  proxy.arm({ fault: 'cut', ms: 0, texts: [] });
  expect(await ask(await dial(), 'abcdef')).toBeNull();
  expect('abc').toContain(heard);
});

test('delayed requests and answers arrive later, in order', async () => {
  const socket = await dial();
  for (const fault of ['delayRequest', 'delayAnswer'] as const) {
    proxy.arm({ fault, ms: 120, texts: [] });
    const started = performance.now();
    expect(await ask(socket, fault)).toBe(`echo ${fault}`);
    expect(performance.now() - started).toBeGreaterThan(100);
  }
});

test('a delayed request is not delivered once its sender has disconnected', async () => {
  proxy.arm({ fault: 'delayRequest', ms: 150, texts: [] });
  const socket = await dial();
  socket.write('late');
  await sleep(40);
  socket.destroy();
  await sleep(250);
  expect(heard).toBe('');
});

test('a request that lands late is delivered although its sender has disconnected, but not after the faults', async () => {
  for (const isCalm of [false, true]) {
    heard = '';
    proxy.arm({ fault: 'landLate', ms: 150, texts: [] });
    const socket = await dial();
    socket.write('late');
    await expect.poll(() => proxy.counts.landLate).toBe(isCalm ? 2 : 1);
    socket.destroy();
    if (isCalm) await proxy.pass();
    else await expect.poll(() => heard).toBe('late');
  }
  await sleep(250);
  expect(heard).toBe('');
});

test('for a while no connection is accepted, and existing ones are cut', async () => {
  const socket = await dial();
  expect(await ask(socket, 'one')).toBe('echo one');
  proxy.refuse(100);
  await once(socket, 'close');
  await expect(dial()).rejects.toThrow('ECONNREFUSED');
  await sleep(150);
  expect(await ask(await dial(), 'three')).toBe('echo three');
});
