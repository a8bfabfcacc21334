import { type BatchSummary, ofWrite } from '../domain/batch/batch.ts';
import { addTally, tallyOf } from '../domain/batch/tally.ts';
import { thisAttempt } from '../isolation/attempts/attempt.ts';
import { endEarlierAttempts } from '../isolation/attempts/earlier-attempts.ts';
import type { WriteBatchDocument } from '../store/batches/batches.ts';
import { type ItemPages, keysOfItems, readItemPages } from '../store/items/item-pages.ts';
import type { Plan, SmallBatch, SmallBatchResult, WorkResult } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { applyStored, inTurn } from './apply-items.ts';
import { ControlCheck } from './control/control-check.ts';
import { finishBatch, noResult } from './finish-batch.ts';
import { NO_PLAN, planStored, planWrites, runToPlan } from './plan-batch.ts';

/**
 * Plans, applies and finishes an upload or patch of few items. Each part is what `planBatch`, `applyItems` and `finishBatch` do: an
 * activity that dies between them is repeated, and finds what was done. What does not fit into one activity (the strict form of
 * fan-out, large resources), and whatever follows an item that waits or was left, is the workflow's to go on with.
 */
export async function runSmallBatch(context: ActivityContext, input: SmallBatch): Promise<SmallBatchResult> {
  const attempt = thisAttempt();
  const { database } = context;
  const indexes = Array.from({ length: input.total }, (_, index) => index);
  const [found, pages] = await Promise.all([
    runToPlan(context, { ...input, cursor: 0 }),
    readItemPages(database, { _id: input.batchId, pageSize: input.pageSize }, indexes),
  ]);
  if (found === null) return { plan: null };
  const batch = ofWrite(found.batch);
  const control = new ControlCheck(database, input);
  const halt = control.asRead(batch);
  if (halt === 'cancelled') return { plan: NO_PLAN };
  const plan = await planSmall(context, batch, indexes, pages);
  const work = onlyWork(plan);
  if (halt !== null || input.isHalted || work?.kind !== 'items') {
    // other activities go on: nothing of an earlier attempt may land beside them, or keep deletes waiting
    await endEarlierAttempts(database, attempt, batch, async () => [
      { batch, items: await keysOfItems(database, batch, indexes) },
    ]);
    return { plan };
  }
  const { links } = plan;
  const items = { ...input, indexes: work.indexes, ...(links !== undefined && { links }) };
  const outcomes = found.isFirst && { outcomes: new Map() };
  const applied = await inTurn(context, attempt, () =>
    applyStored(context, attempt, control, items, { batch, halt, pages, ...outcomes }),
  );
  const isOver = applied.left === undefined && applied.pending.length === 0;
  return { plan, applied, ...(isOver && { summary: await finish(context, input, batch.scope, applied) }) };
}

/**
 * One activity that does all of it checks the version of the schema definition itself, once its intent is laid. A plan of more work is made
 * by the latest version.
 */
async function planSmall(
  context: ActivityContext,
  batch: WriteBatchDocument,
  indexes: readonly number[],
  pages: ItemPages,
): Promise<Plan> {
  const schema = await context.schemas.current(batch.schemaDefinitionId);
  if (batch.run > 1 || schema === null) return planWrites(context, batch, false);
  await context.checkpoint?.('planning', batch._id);
  const plan = { tally: tallyOf([]), ...(await planStored(context, batch, indexes, schema, pages)) };
  return onlyWork(plan) === undefined ? planWrites(context, batch, false) : plan;
}

/** The work of a plan that is one activity's. */
function onlyWork({ stages }: Plan) {
  const [work, ...others] = stages.flat();
  return others.length === 0 ? work : undefined;
}

function finish(
  context: ActivityContext,
  input: SmallBatch,
  scope: string,
  { tally, hasWaited }: WorkResult,
): Promise<BatchSummary> {
  const { batchId, run, total, ofImport } = input;
  const succeeded = noResult();
  addTally(succeeded, tally);
  const isSucceeded = succeeded.counts.succeeded === total && !hasWaited;
  return finishBatch(context, {
    batchId,
    run,
    scope,
    cancelled: false,
    cascaded: 0,
    ...(isSucceeded && { succeeded }),
    ...(ofImport && { ofImport }),
  });
}
