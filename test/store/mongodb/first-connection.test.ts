import { expect, inject, test } from 'vitest';
import { freePort } from '../../../embedded/ports.ts';
import { connectDatabase } from '../../../store/mongodb/database.ts';
import { TcpProxy } from '../../../testkit/proxy.ts';

test('a process that starts before MongoDB works once MongoDB is available', async () => {
  const port = await freePort();
  const database = await connectDatabase(`mongodb://127.0.0.1:${port}/?directConnection=true`, 'first-connection');
  await expect(database.ping()).rejects.toThrow();
  const server = await TcpProxy.start({ to: inject('mongodbUri'), port });
  await expect.poll(() => database.ping().then(() => 'pong'), { timeout: 10_000 }).toBe('pong');
  await database.close();
  await server.stop();
});
