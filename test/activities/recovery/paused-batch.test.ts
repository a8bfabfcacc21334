import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { createActivityContext } from '../../../activities/activity-context.ts';
import { recoverBatch } from '../../../activities/recovery/finish-lost.ts';
import { purgeBatch } from '../../../services/batches/purge-batch.ts';
import { MemoryAllowance } from '../../../services/deletes/memory-allowance.ts';
import { type BatchDocument, batchesIn, insertBatch, readBatch } from '../../../store/batches/batches.ts';
import { recordStarted } from '../../../store/batches/run-state.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';

/** Temporal 1.30 can pause a workflow; the embedded server (1.29) cannot, so its answers are simulated. */

const PAUSED = 8;

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `test-paused-${process.pid}`);
});
afterAll(() => database.close());

async function runningBatch(_id: string): Promise<BatchDocument> {
  await insertBatch(database, {
    _id,
    scope: { platform: 'default', tenant: 'default' },
    operation: 'upload',
    schemaDefinitionId: 'town-id',
    schemaName: 'town',
    options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 },
    total: 0,
    pageSize: 50,
    createdAt: new Date(),
  });
  const started = await recordStarted(database, { batchId: _id, run: 1 }, 'r');
  if (started === null) throw new Error('not started');
  return started.batch;
}

/** A simulated Temporal with one execution that stays in a state until it is terminated. */
function played(code: number, name: string) {
  let closeTime: Date | undefined;
  const describe = async () => ({
    runId: 'r',
    status: { code, name },
    memo: { run: 1 },
    closeTime,
    raw: { workflowExecutionInfo: { status: code, firstRunId: 'r' } },
  });
  const terminate = vi.fn(async () => {
    closeTime = new Date(0);
  });
  const start = vi.fn();
  const client = {
    options: { namespace: 'default' },
    withDeadline: (_: number, call: () => Promise<unknown>) => call(),
    workflow: { start, getHandle: () => ({ describe, terminate, signal: async () => undefined }) },
    workflowService: { deleteWorkflowExecution: async () => ({}) },
  };
  const context = createActivityContext({
    database,
    client: client as never,
    logger: pino({ level: 'silent' }),
    taskQueue: 'paused',
    activityTimeoutSeconds: 0,
    retentionDays: 30,
    planningMemory: new MemoryAllowance(1_000_000),
  });
  return { context, terminate, start };
}

test.each([
  ['paused', PAUSED, 'PAUSED'],
  ['in a state that this version does not know', 99, 'UNKNOWN'],
])('a batch whose workflow is %s is alive: recovery neither finishes nor starts it', async (_, code, name) => {
  const batch = await runningBatch(`alive-${code}`);
  const { context, start } = played(code, name);
  expect(await recoverBatch(context, batch)).toBeNull();
  expect(start).not.toHaveBeenCalled();
  expect((await readBatch(database, batch._id))?.status).toBe('processing');
});

test('a deleted batch whose workflow is paused is removed for good, because no caller would resume it', async () => {
  const batch = await runningBatch('deleted');
  await batchesIn(database).updateOne({ _id: batch._id }, { $set: { deletedAt: new Date(), status: 'cancelled' } });
  const { context, terminate } = played(PAUSED, 'PAUSED');
  expect(await purgeBatch(context, batch, 0)).toBe(true);
  expect(terminate).toHaveBeenCalledOnce();
  expect(await readBatch(database, batch._id)).toBeNull();
});
