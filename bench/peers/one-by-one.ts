import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { uploadOneByOne } from './one-by-one-workflow.ts';
import { assertSucceeded, batchesOf, type Outcome, openPeerStore, seedRegions } from './run-items.ts';
import { serve } from './serve.ts';

/** Starts a workflow a batch, with one activity a resource; their worker is another process. */
const store = await openPeerStore();
const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '' });
const client = new Client({ connection });
const taskQueue = process.env.QUEUE ?? '';
await once(fork(fileURLToPath(new URL('one-by-one-worker.js', import.meta.url))), 'message');

serve(async (job) => {
  const batches = batchesOf(job);
  await seedRegions(store, job.tenant);
  const started = performance.now();
  const results = await Promise.all(
    batches.map((batch, number) =>
      client.workflow.execute<typeof uploadOneByOne>('uploadOneByOne', {
        taskQueue,
        workflowId: `${taskQueue}-${job.tenant}-${number}`,
        args: [job.tenant, batch],
      }),
    ),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const outcomes of results as Outcome[][]) assertSucceeded(outcomes);
  return seconds;
});
