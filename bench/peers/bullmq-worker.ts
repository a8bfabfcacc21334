import { Worker } from 'bullmq';
import type { Customer } from '../data/customers.ts';
import { assertSucceeded, type Outcome, openPeerStore, runItems } from './run-items.ts';

/** The data of one job. The outcomes are its return value, which BullMQ keeps. */
export interface QueuedItems {
  readonly tenant: string;
  readonly items: readonly Customer[];
}

export interface WorkerReport {
  readonly error?: string;
}

/** Jobs at once: enough that waiting for Redis and MongoDB does not leave the process idle. */
const CONCURRENCY = 50;

const connection = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null };
const store = await openPeerStore();
let itemsLeft = 0;

const worker = new Worker<QueuedItems, Outcome[]>(
  process.env.QUEUE ?? '',
  async ({ data }) => {
    const outcomes = await runItems(store, data.tenant, data.items);
    assertSucceeded(outcomes);
    return outcomes;
  },
  { connection, concurrency: CONCURRENCY },
);
const report = (about: WorkerReport): void => void process.send?.(about);
worker.on('completed', ({ data }) => {
  itemsLeft -= data.items.length;
  if (itemsLeft === 0) report({});
});
worker.on('failed', (_, error) => report({ error: error.message }));
process.on('disconnect', () => process.exit(0));
process.on('message', ({ items }: { items: number }) => {
  itemsLeft = items;
});
await worker.waitUntilReady();
report({});
