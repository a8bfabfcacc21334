import { heartbeat } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import { isTerminal } from '../domain/batch.ts';
import { purgeBatch } from '../services/purge-batch.ts';
import { startBatch } from '../services/start-batch.ts';
import { type BatchDocument, insertBatch, markExpired, readBatch, unfinishedBatches } from '../store/batches.ts';
import { forgetOldGroups } from '../store/commits.ts';
import { recordInserted, removeOldKeys, unfinishedBindings } from '../store/idempotency-keys.ts';
import { batchWorkflowId } from '../workflows/messages.ts';
import type { Dependencies } from './dependencies.ts';
import { finishBatch } from './finish-batch.ts';

/** What an accepting API process is given to get from one of its writes to the next, in ms. */
const IN_FLIGHT_MS = 5_000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Longer than anything stays hidden or marked. */
const GROUPS_KEPT_MS = 7 * DAY_MS;

export interface SweepResult {
  readonly started: number;
  readonly finished: number;
  readonly purged: number;
}

/**
 * Brings to an end what somebody left half done: starts batches that were accepted and have no workflow, finishes those whose
 * workflow was terminated, removes deleted batches, and deletes what is older than it is kept. Safe to repeat and to run twice.
 */
export async function sweep(dependencies: Dependencies, _input: Record<string, never>): Promise<SweepResult> {
  const { database, retentionDays, logger } = dependencies;
  const done = { started: 0, finished: 0, purged: 0 };
  await insertBoundBatches(dependencies);
  if (retentionDays > 0) await markExpired(database, new Date(Date.now() - retentionDays * DAY_MS));
  for await (const batch of unfinishedBatches(database)) {
    heartbeat();
    const what = await sweepBatch(dependencies, batch);
    if (what !== null) done[what] += 1;
  }
  await removeOldKeys(database);
  await forgetOldGroups(database, new Date(Date.now() - GROUPS_KEPT_MS));
  if (done.started + done.finished + done.purged > 0) logger.info(done, 'swept');
  return done;
}

/** What was done for one batch; null where it needs nothing. */
async function sweepBatch(dependencies: Dependencies, batch: BatchDocument): Promise<keyof SweepResult | null> {
  if (batch.deletedAt !== undefined) {
    return (await purgeBatch(dependencies, batch)) ? 'purged' : null;
  }
  if (isTerminal(batch.status)) return null;
  const execution = await latestExecution(dependencies, batch._id);
  if (execution?.isRunning) return null;
  if (execution === null || execution.run < batch.run) {
    await startBatch(dependencies, batch);
    return 'started';
  }
  // The workflow of this run is closed, and has not finished its batch: somebody has terminated it (invariant 1).
  const current = await readBatch(dependencies.database, batch._id);
  if (current === null || isTerminal(current.status) || current.run !== batch.run) return null;
  await finishBatch(dependencies, { batchId: batch._id, run: batch.run, cancelled: !execution.hasFailed, cascaded: 0 });
  return 'finished';
}

async function latestExecution({ client }: Dependencies, batchId: string) {
  try {
    const { status, memo } = await client.workflow.getHandle(batchWorkflowId(batchId)).describe();
    return { isRunning: status.name === 'RUNNING', hasFailed: status.name === 'FAILED', run: Number(memo?.run ?? 1) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Batches whose key is bound, but that their sender did not get to insert. */
async function insertBoundBatches({ database }: Dependencies): Promise<void> {
  for (const { _id, batch } of await unfinishedBindings(database, new Date(Date.now() - IN_FLIGHT_MS))) {
    if ((await readBatch(database, batch._id)) === null) await insertBatch(database, batch);
    await recordInserted(database, _id);
  }
}
