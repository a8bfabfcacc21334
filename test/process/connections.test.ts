import { expect, test } from 'vitest';
import { loadConfig } from '../../process/config.ts';
import { connectClient } from '../../process/connections.ts';

test('a call that is repeated when its client is closed fails, and throws nowhere else', async () => {
  // nothing listens there
  const client = connectClient(loadConfig({ TEMPORAL_ADDRESS: '127.0.0.1:1' }), 5_000);
  const uncaught: unknown[] = [];
  const note = (error: unknown): unknown => uncaught.push(error);
  process.on('uncaughtException', note);
  try {
    const call = client.workflow.getHandle('none').describe();
    const failed = expect(call).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await client.connection.close();
    await failed;
    expect(uncaught).toEqual([]);
  } finally {
    process.off('uncaughtException', note);
  }
});
