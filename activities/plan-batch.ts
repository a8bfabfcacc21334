import { isOpen } from '../domain/batch/outcome.ts';
import {
  fitsOneActivity,
  LIGHT_BYTES,
  type PlannedItem,
  planStages,
  resourcesPerActivity,
} from '../domain/batch/plan-chunks.ts';
import { tallyOf } from '../domain/batch/tally.ts';
import { EACH_ITEM, type ReferenceField } from '../domain/schema/references.ts';
import { referencesIn } from '../domain/write/references-in.ts';
import { type ResourceKey, resourceKey } from '../domain/write/resource.ts';
import { thisAttempt } from '../isolation/attempts/attempt.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { heavyResources } from '../isolation/resources/resource-sizes.ts';
import { wakeWaiting } from '../services/batches/wake-waiting.ts';
import type { LoadedSchema } from '../services/definitions/schema-catalog.ts';
import { type BatchDocument, readBatch, type WriteBatchDocument } from '../store/batches/batches.ts';
import { recordStarted, type StartedRun } from '../store/batches/run-state.ts';
import { type ItemPages, idsOfPages, itemsOfPages, readIds, readItemPages } from '../store/items/item-pages.ts';
import { outcomeChunks, pagesOf, readOutcomePages, type StoredOutcome } from '../store/items/outcomes.ts';
import { requeueOutcomes, unsuccessful } from '../store/items/requeue-outcomes.ts';
import type { Plan, PlanInput } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { ControlCheck } from './control/control-check.ts';
import { planDeletion } from './delete/plan-deletion.ts';
import { createdKeysOf } from './finish/finish-open-items.ts';
import { planTermination } from './terminate/plan-termination.ts';
import { fieldsOfOwnKind, linksOf } from './write/own-links.ts';

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
  return { tally: tallyOf(isAgain ? [] : settled), ...(await planItems(context, batch, open, schema)) };
}

/** Plans items by a version of their schema definition. @param pages those that hold them, if they were read. */
export async function planItems(
  context: ActivityContext,
  batch: WriteBatchDocument,
  open: readonly number[],
  schema: LoadedSchema | null,
  pages?: ItemPages,
): Promise<Pick<Plan, 'links' | 'stages'>> {
  const ownKind = schema === null ? [] : await fieldsOfOwnKind(context.schemas, schema);
  const planned = await plannedItems(context, batch, open, schema, ownKind, pages);
  const stages = planStages(planned, chunkSize(context, batch));
  return {
    links: linksOf(ownKind),
    stages: stages.map((chunks) => chunks.map((indexes) => ({ kind: 'items', indexes }))),
  };
}

/**
 * Items with their references to resources of the same schema definition (no others can be in their batch), and the number of all references of
 * each. Without such fields, and without lists of references, no body is read.
 */
async function plannedItems(
  context: ActivityContext,
  batch: WriteBatchDocument,
  indexes: readonly number[],
  schema: LoadedSchema | null,
  ownKind: readonly ReferenceField[],
  pages?: ItemPages,
): Promise<PlannedItem[]> {
  const keyOf = (externalId: string): ResourceKey => resourceKey(batch, batch.schemaDefinitionId, externalId);
  const fields = schema?.compiled.referenceFields ?? [];
  const { database } = context;
  const isOfOneActivity = fitsOneActivity(indexes.length, fields.length, chunkSize(context, batch));
  if (ownKind.length === 0 && fields.every(({ path }) => !path.includes(EACH_ITEM))) {
    const planned = indexes.map((index) => ({ index, key: null, references: [], lookups: fields.length }));
    if (isOfOneActivity && indexes.length <= FEW_ITEMS) return planned;
    const all = pagesOf(batch);
    const ids = pages === undefined ? await readIds(database, batch._id, all) : idsOfPages(pages, batch._id, all);
    const keyed = planned.map((item) => {
      const externalId = ids.get(Math.floor(item.index / batch.pageSize))?.[item.index % batch.pageSize] ?? null;
      return { ...item, key: externalId === null ? null : keyOf(externalId) };
    });
    const weighed = await withStoredBytes(database, keyed);
    return isOfOneActivity && weighed.every(({ bytes }) => bytes === undefined) ? planned : weighed;
  }
  const items = itemsOfPages(pages ?? (await readItemPages(database, batch, indexes)), batch, indexes);
  const planned = items.map(({ index, externalId, body }) => ({
    index,
    key: externalId === null ? null : keyOf(externalId),
    references: body === null ? [] : referencesIn(ownKind, body).map((reference) => keyOf(reference.externalId)),
    lookups: body === null ? 0 : referencesIn(fields, body).length,
  }));
  return withStoredBytes(database, planned);
}

/** Most items that one activity of a batch applies. */
export const chunkSize = (
  { resourcesPerActivity: configured }: Pick<ActivityContext, 'resourcesPerActivity'>,
  { options }: WriteBatchDocument,
): number => resourcesPerActivity(options.resourcesPerActivity ?? configured);

/** Number of items of any size that one activity may hold. */
const FEW_ITEMS = 2;

/** Items with the size of their resources if these are large: a patch of a thousand large resources is the work of many activities. */
export async function withStoredBytes<T extends PlannedItem>(
  database: ActivityContext['database'],
  items: readonly T[],
): Promise<(T & Pick<PlannedItem, 'bytes'>)[]> {
  const keys = new Set(items.flatMap(({ key }) => key ?? []));
  const heavy = await heavyResources(database, keys, LIGHT_BYTES);
  return items.map((item) => {
    const bytes = heavy.get(item.key ?? '');
    // several items of one resource read it once
    if (bytes === undefined || !heavy.delete(item.key ?? '')) return item;
    return { ...item, bytes };
  });
}

/** Failed, expired and cancelled items of a retried batch become queued again, with their attempts. Safe to repeat. */
async function requeueUnsuccessful(context: ActivityContext, batch: BatchDocument): Promise<void> {
  for await (const { outcomes } of outcomeChunks(context.database, batch)) {
    await requeueOutcomes(context.database, batch, unsuccessful(outcomes));
  }
}
