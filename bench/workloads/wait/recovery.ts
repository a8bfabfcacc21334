import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { forEachConcurrently } from '../../../domain/collections/for-each-concurrently.ts';
import { type BatchDocument, batchesIn, readBatches, toBatchDocument } from '../../../store/batches/batches.ts';
import { writeItemPages } from '../../../store/items/item-pages.ts';
import { cpuMsOf } from '../../../testkit/measure.ts';
import { BATCH_WORKFLOW_TYPE, type BatchInput, batchWorkflowId } from '../../../workflows/messages.ts';
import { customers } from '../../data/customers.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import type { Benchmark } from '../../run/bench.ts';

const WAITING = 100_000;
const UNSTARTED = 100;
const STORED_AT_ONCE = 1_000;
const STARTS_AT_ONCE = 50;
const POLL_MS = 50;
/** How long recovery is watched while there are only waiting batches, in ms. */
const WATCHED_MS = 30_000;

/** Recovery beside many waiting batches: their workflows are open in Temporal, and only timers wake them. */
export const recovery: Benchmark = {
  name: 'recovery',
  about: `${UNSTARTED} batches that were accepted and never started, beside ${WAITING.toLocaleString('en-US')} that wait`,
  onlyByName: true,
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const waiting = bench.size(WAITING);
      await storeWaiting(drover, await drover.newTenant(), waiting, bench.say);
      return bench.inRounds(async () => {
        const [worker] = drover.workers;
        if (worker === undefined) throw new Error('no worker runs');
        const before = cpuMsOf(worker);
        await sleep(WATCHED_MS);
        const cpu = ((cpuMsOf(worker) - before) * 1000) / WATCHED_MS;
        const seconds = await secondsUntilStarted(drover, await drover.newTenant());
        return [
          { name: `${UNSTARTED} of them started`, unit: 's', values: [seconds], target: { atMost: 60 } },
          { name: 'CPU of the worker that checks the waiting ones', unit: 'ms a second', values: [cpu] },
        ];
      });
    }),
};

function batchOf(drover: MeasuredInstallation, tenant: string): BatchDocument {
  const _id = uuidv7();
  return toBatchDocument({
    _id,
    scope: drover.scope(tenant),
    operation: 'upload',
    options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 86_400 },
    schemaDefinitionId: drover.idOf('customer'),
    schemaName: 'customer',
    total: 1,
    pageSize: 50,
    createdAt: new Date(),
  });
}

async function storeWaiting(
  drover: MeasuredInstallation,
  tenant: string,
  count: number,
  say: (line: string) => void,
): Promise<void> {
  for (let stored = 0; stored < count; stored += STORED_AT_ONCE) {
    const batches = Array.from({ length: Math.min(STORED_AT_ONCE, count - stored) }, (): BatchDocument => {
      const { unstarted: _u, startDue: _s, ...batch } = batchOf(drover, tenant);
      return { ...batch, status: 'waiting', startedAt: new Date() };
    });
    await forEachConcurrently(batches, STARTS_AT_ONCE, (batch) => openExecution(drover, batch));
    await batchesIn(drover.database).insertMany(batches, { ordered: false });
    if (stored % (10 * STORED_AT_ONCE) === 0) say(`${stored + batches.length} batches wait`);
  }
}

async function openExecution(drover: MeasuredInstallation, { _id, scope, operation }: BatchDocument): Promise<void> {
  const input: BatchInput = {
    batchId: _id,
    operation,
    scope,
    schemaName: 'customer',
    total: 1,
    run: 1,
    activityTimeoutSeconds: 20,
  };
  await drover.client.workflow.start(BATCH_WORKFLOW_TYPE, {
    taskQueue: drover.name,
    workflowId: batchWorkflowId(_id),
    args: [input],
    memo: { run: 1 },
    startDelay: '1d',
  });
}

/** Stores what an API process leaves that dies between a batch and its start. @returns s until the last one's workflow has begun. */
async function secondsUntilStarted(drover: MeasuredInstallation, tenant: string): Promise<number> {
  const batches = Array.from({ length: UNSTARTED }, () => batchOf(drover, tenant));
  for (const [n, { _id, pageSize }] of batches.entries()) {
    const [item] = customers(n, 1);
    await writeItemPages(
      drover.database,
      { batchId: _id },
      [{ externalId: String(item?.externalId), body: JSON.stringify(item) }],
      pageSize,
    );
  }
  const since = Date.now();
  await batchesIn(drover.database).insertMany(batches.map((batch) => ({ ...batch, createdAt: new Date(since) })));
  const ids = batches.map(({ _id }) => _id);
  for (;;) {
    const started = (await readBatches(drover.database, ids)).flatMap(({ startedAt }) => startedAt?.getTime() ?? []);
    if (started.length === UNSTARTED) return (Math.max(...started) - since) / 1000;
    await sleep(POLL_MS);
  }
}
