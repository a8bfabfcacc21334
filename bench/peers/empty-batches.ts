import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { emptyBatch } from './one-by-one-workflow.ts';
import { serve } from './serve.ts';

/** Starts a workflow a batch, which does nothing; their worker is another process. */
const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '' });
const client = new Client({ connection });
const taskQueue = process.env.QUEUE ?? '';
await once(fork(fileURLToPath(new URL('one-by-one-worker.js', import.meta.url))), 'message');

serve(async ({ batches, tenant }) => {
  const started = performance.now();
  await Promise.all(
    Array.from({ length: batches }, (_, number) =>
      client.workflow.execute<typeof emptyBatch>('emptyBatch', {
        taskQueue,
        workflowId: `${taskQueue}-${tenant}-${number}`,
      }),
    ),
  );
  return (performance.now() - started) / 1000;
});
