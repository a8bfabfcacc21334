import { heartbeat } from '@temporalio/activity';
import { isTerminal } from '../domain/batch.ts';
import { insertBoundBatch } from '../services/accept-batch.ts';
import { tellWorkflow } from '../services/control-batch.ts';
import { purgeBatch } from '../services/purge-batch.ts';
import { latestExecution, startBatch } from '../services/start-batch.ts';
import { type BatchDocument, markExpired, readBatch, unfinishedBatches } from '../store/batches.ts';
import { forgetOldGroups } from '../store/commits.ts';
import { recordInserted, removeOldKeys, unfinishedBindings } from '../store/idempotency-keys.ts';
import { removeStaleIntents } from '../store/intents.ts';
import { removeOrphanedPages } from '../store/orphaned-pages.ts';
import type { Dependencies } from './dependencies.ts';
import { finishBatch } from './finish-batch.ts';
import { mendDefinitions } from './mend-definitions.ts';

/** What an accepting API process is given to get from one of its writes to the next, in ms. */
const IN_FLIGHT_MS = 5_000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Longer than anything stays hidden or marked. */
const GROUPS_KEPT_MS = 7 * DAY_MS;
/** Longer than writing the pages of a batch takes. */
const ORPHANED_AFTER_MS = 60 * 60 * 1000;

export interface SweepResult {
  readonly started: number;
  readonly finished: number;
  readonly purged: number;
}

/**
 * Brings to an end what somebody left half done: starts batches that were accepted and have no workflow, tells workflows what
 * they were not told, finishes batches whose workflow was terminated, removes deleted ones, and deletes what is older than it is
 * kept. Safe to repeat and to run twice.
 */
export async function sweep(dependencies: Dependencies, _input: Record<string, never>): Promise<SweepResult> {
  const { database, retentionDays, logger } = dependencies;
  const done = { started: 0, finished: 0, purged: 0 };
  await insertBoundBatches(dependencies);
  await mendDefinitions(dependencies);
  if (retentionDays > 0) await markExpired(database, new Date(Date.now() - retentionDays * DAY_MS));
  for await (const batch of unfinishedBatches(database)) {
    heartbeat();
    const what = await sweepBatch(dependencies, batch);
    if (what !== null) done[what] += 1;
  }
  await removeOldKeys(database);
  await removeStaleIntents(database);
  await forgetOldGroups(database, new Date(Date.now() - GROUPS_KEPT_MS));
  const orphans = await removeOrphanedPages(database, new Date(Date.now() - ORPHANED_AFTER_MS), heartbeat);
  if (done.started + done.finished + done.purged + orphans > 0) logger.info({ ...done, orphans }, 'swept');
  return done;
}

/** What was done for one batch; null where it needs nothing, or cannot be helped for now: the others are not to wait for it. */
async function sweepBatch(dependencies: Dependencies, batch: BatchDocument): Promise<keyof SweepResult | null> {
  try {
    if (batch.deletedAt === undefined) return await carryOn(dependencies, batch);
    if (await purgeBatch(dependencies, batch)) return 'purged';
    // Its workflow has died: what waits for others, or others for it, is settled before it goes.
    if ((await carryOn(dependencies, batch)) !== 'finished') return null;
    return (await purgeBatch(dependencies, batch)) ? 'purged' : 'finished';
  } catch (error) {
    dependencies.logger.warn({ batchId: batch._id, err: error }, 'a batch is left to the next sweep');
    return null;
  }
}

/** Makes sure that somebody carries the batch out, or finishes it where nobody will. */
async function carryOn(dependencies: Dependencies, batch: BatchDocument): Promise<keyof SweepResult | null> {
  const { client, database, activityTimeoutSeconds } = dependencies;
  if (isTerminal(batch.status)) return null;
  const execution = await latestExecution(client, batch._id);
  if (execution?.isRunning) {
    if (batch.asked?.told === false) await tellWorkflow(dependencies, batch);
    return null;
  }
  const isBegun = execution !== null && execution.run >= batch.run;
  if (!isBegun && batch.deletedAt === undefined) return (await startBatch(dependencies, batch)) ? 'started' : null;
  // An activity may outlive its workflow by as long as it may write.
  if (isBegun && Date.now() - (execution.closedAt?.getTime() ?? 0) < activityTimeoutSeconds * 1000) return null;
  // The workflow of this run is closed, and has not finished its batch: somebody has terminated it (invariant 1).
  const current = await readBatch(database, batch._id);
  if (current === null || isTerminal(current.status) || current.run !== batch.run) return null;
  await finishBatch(dependencies, {
    batchId: batch._id,
    run: batch.run,
    cancelled: !execution?.hasFailed,
    cascaded: 0,
    abandoned: true,
  });
  return 'finished';
}

/** Batches whose key is bound, but that their sender did not get to insert. */
async function insertBoundBatches({ database }: Dependencies): Promise<void> {
  for (const binding of await unfinishedBindings(database, new Date(Date.now() - IN_FLIGHT_MS))) {
    heartbeat();
    await insertBoundBatch(database, binding);
    await recordInserted(database, binding._id);
  }
}
