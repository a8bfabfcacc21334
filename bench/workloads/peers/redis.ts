import { once } from 'node:events';
import { connect } from 'node:net';
import { onFreePort } from '../../../embedded/ports.ts';
import { findOnPath, startServer } from '../../../embedded/processes.ts';
import { Skipped } from '../../run/bench.ts';

/** A Redis in memory for BullMQ. @throws Skipped where there is none on PATH. */
export async function startRedis(): Promise<{ port: number; stop(): Promise<void> }> {
  const command = findOnPath('redis-server');
  if (command === null) throw new Skipped('redis-server is not on PATH (Debian: apt-get install redis-server)');
  return onFreePort(undefined, async (port) => {
    const server = await startServer({
      name: 'redis',
      command,
      args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      answers: () => accepts(port),
    });
    return { port, stop: () => server.stop() };
  });
}

async function accepts(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
