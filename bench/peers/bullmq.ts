import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import type { QueuedItems, WorkerReport } from './bullmq-worker.ts';
import { batchesOf, openPeerStore, seedRegions } from './run-items.ts';
import { serve } from './serve.ts';

/** A producer process that fills a BullMQ queue; its worker is another process. `ITEMS_PER_JOB` resources a job. */
const itemsPerJob = Number(process.env.ITEMS_PER_JOB);
const connection = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null };
const store = await openPeerStore();
const queue = new Queue<QueuedItems>(process.env.QUEUE ?? '', { connection });
const worker = fork(fileURLToPath(new URL('bullmq-worker.js', import.meta.url)));
await once(worker, 'message');

serve(async (job) => {
  const batches = batchesOf(job);
  await seedRegions(store, job.tenant);
  const finished = once(worker, 'message') as Promise<[WorkerReport]>;
  worker.send({ items: job.batches * job.size });
  const started = performance.now();
  await Promise.all(
    batches.map((batch) => {
      const jobs = Array.from({ length: Math.ceil(batch.length / itemsPerJob) }, (_, n) => ({
        name: 'upload',
        data: { tenant: job.tenant, items: batch.slice(n * itemsPerJob, (n + 1) * itemsPerJob) },
      }));
      return queue.addBulk(jobs);
    }),
  );
  const [{ error }] = await finished;
  const seconds = (performance.now() - started) / 1000;
  if (error !== undefined) throw new Error(error);
  await queue.obliterate({ force: true });
  return seconds;
});
