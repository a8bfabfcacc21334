import { isOpen } from '../domain/batch/outcome.ts';
import { tallyOf } from '../domain/batch/tally.ts';
import { thisAttempt } from '../isolation/attempts/attempt.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { wakeWaiting } from '../services/batches/wake-waiting.ts';
import type { LoadedSchema } from '../services/definitions/schema-catalog.ts';
import { planItems } from '../services/writes/plan-writes.ts';
import { type BatchDocument, readBatch, type WriteBatchDocument } from '../store/batches/batches.ts';
import { recordStarted, type StartedRun } from '../store/batches/run-state.ts';
import { type ItemPages, idsOfPages, itemsOfPages, readIds, readItemPages } from '../store/items/item-pages.ts';
import { outcomeChunks, pagesOf, readOutcomePages, type StoredOutcome } from '../store/items/outcomes.ts';
import { requeueOutcomes, toRequeue } from '../store/items/requeue-outcomes.ts';
import type { Plan, PlanInput } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { ControlCheck } from './control/control-check.ts';
import { planDeletion } from './delete/plan-deletion.ts';
import { createdKeysOf } from './finish/finish-open-items.ts';
import { planTermination } from './terminate/plan-termination.ts';
import { planUndo } from './undo/plan-undo.ts';

/**
 * Plans a run of a batch, or the next part of it; null if there is no such run (the batch is deleted, has been retried
 * since, or is finished): then the workflow has nothing to do. The first plan of a retry requeues its items.
 */
export async function planBatch(context: ActivityContext, input: PlanInput): Promise<Plan | null> {
  const run = await runToPlan(context, input);
  if (run === null) return null;
  const { batch } = run;
  const control = new ControlCheck(context.database, input);
  // planning the writes of a suspended batch has no effect on resources: it may continue
  if (control.asRead(batch) === 'cancelled') return NO_PLAN;
  switch (batch.operation) {
    case 'upload':
    case 'patch':
      return planWrites(context, batch, input.isAgain ?? false);
    case 'delete':
      return planDeletion(context, batch, input.cursor, control);
    case 'undo':
      return planUndo(context, batch, input.cursor, control);
    case 'terminate':
      return planTermination(context, batch, input.cursor);
  }
}

/** The batch was cancelled before it was planned. */
export const NO_PLAN: Plan = { tally: tallyOf([]), stages: [], isLeft: true };

/** The run with this execution at work on it; null where there is no such run. */
export async function runToPlan(context: ActivityContext, input: PlanInput): Promise<StartedRun | null> {
  const isBegin = input.cursor === 0 && !input.isAgain;
  const found = isBegin ? await beginRun(context, input) : await continueRun(context, input);
  if (found !== null) return { ...found, batch: await takeOverRun(context.database, found.batch, thisAttempt()) };
  await warnIfLive(context, input);
  return null;
}

/** Without this line the log would not say why no item of a batch is worked on that is neither deleted nor finished. */
async function warnIfLive({ database, logger }: ActivityContext, { batchId, run, cursor }: PlanInput): Promise<void> {
  const batch = await readBatch(database, batchId);
  if (batch === null || batch.run !== run || batch.completedAt !== undefined || batch.deletedAt !== undefined) return;
  logger.warn({ batchId, run, cursor }, 'a batch that is neither deleted nor finished was given no plan');
}

async function beginRun(context: ActivityContext, input: PlanInput): Promise<StartedRun | null> {
  const started = await recordStarted(context.database, input, thisAttempt().runId);
  if (started !== null && started.batch.run > 1) await requeueUnsuccessful(context, started.batch);
  return started;
}

async function continueRun({ database }: ActivityContext, input: PlanInput): Promise<StartedRun | null> {
  const batch = await readBatch(database, input.batchId);
  const isRunning = batch?.run === input.run && batch.completedAt === undefined && batch.deletedAt === undefined;
  return isRunning ? { batch, isFirst: false } : null;
}

export async function planWrites(context: ActivityContext, batch: WriteBatchDocument, isAgain: boolean): Promise<Plan> {
  const { database } = context;
  await context.checkpoint?.('planning', batch._id);
  const outcomes = new Map<number, StoredOutcome>();
  if (batch.run > 1 || isAgain) {
    for (const [index, outcome] of await readOutcomePages(database, batch._id, pagesOf(batch)))
      outcomes.set(index, outcome);
    // invariant 5: a lost execution of this run may have died between its outcomes and its wake-ups. In a first run all
    // items go through their chunks again, which wakes batches. When it is planned again, activities have done so.
    if (!isAgain) await wakeWaiting(context, await createdKeysOf(database, batch, outcomes));
  }
  const open = Array.from({ length: batch.total }, (_, index) => index).filter((index) => {
    const status = outcomes.get(index)?.status;
    // an item that an earlier attempt of this run has made pending goes through its chunk again
    return isOpen(status) && !(isAgain && status === 'pending');
  });
  // a worker that only plans never checks versions as a writer does: its cache may be long outdated
  const schema = await context.schemas.latest(batch.schemaDefinitionId);
  const settled = [...outcomes.values()].filter(({ status }) => !isOpen(status));
  return { tally: tallyOf(isAgain ? [] : settled), ...(await planStored(context, batch, open, schema)) };
}

/** Plans stored items by a version of their schema definition. @param pages those that hold them, if they were read. */
export async function planStored(
  context: ActivityContext,
  batch: WriteBatchDocument,
  indexes: readonly number[],
  schema: LoadedSchema | null,
  pages?: ItemPages,
): Promise<Pick<Plan, 'links' | 'stages'>> {
  const { database } = context;
  const { links, stages } = await planItems(context, batch, schema, {
    indexes,
    externalIds: async () => {
      const all = pagesOf(batch);
      const ids = pages === undefined ? await readIds(database, batch._id, all) : idsOfPages(pages, batch._id, all);
      return new Map(
        indexes.map((index) => [index, ids.get(Math.floor(index / batch.pageSize))?.[index % batch.pageSize] ?? null]),
      );
    },
    items: async () => itemsOfPages(pages ?? (await readItemPages(database, batch, indexes)), batch, indexes),
  });
  return { links, stages: stages.map((chunks) => chunks.map((indexes) => ({ kind: 'items', indexes }))) };
}

/** Failed, expired and cancelled items of a retried batch become queued again, with their attempts. Safe to repeat. */
async function requeueUnsuccessful(context: ActivityContext, batch: BatchDocument): Promise<void> {
  for await (const { outcomes } of outcomeChunks(context.database, batch)) {
    await requeueOutcomes(context.database, batch, toRequeue(batch, outcomes));
  }
}
