import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { percentile } from './measure.ts';

/** A server that sends back what it receives. */
export async function startEcho(): Promise<{ readonly port: number; stop(): void }> {
  const server = createServer((socket) => void socket.setNoDelay(true).pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, stop: () => server.close() };
}

/** Median time of a round trip of one byte to a server that echoes, in ms. */
export async function roundTripMs(port: number, times: number): Promise<number> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  await once(socket, 'connect');
  const all: number[] = [];
  for (let n = 0; n < times; n++) {
    const since = performance.now();
    socket.write('.');
    await once(socket, 'data');
    all.push(performance.now() - since);
  }
  socket.destroy();
  return percentile(all, 0.5);
}
