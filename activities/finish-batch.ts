import {
  type BatchResult,
  type BatchSummary,
  hasSteps,
  isTerminal,
  type TerminalStatus,
  terminalStatus,
  waitSecondsOf,
  writesResources,
} from '../domain/batch/batch.ts';
import { addErrorDetails, type ErrorDetails } from '../domain/batch/error-details.ts';
import { type ItemError, isOpen, noActions, noCounts } from '../domain/batch/outcome.ts';
import { addTally, tallyOf } from '../domain/batch/tally.ts';
import type { JobCounts } from '../domain/executions/job-counts.ts';
import type { NotedEvent } from '../domain/webhooks/noted-event.ts';
import { endEvent } from '../domain/webhooks/webhook.ts';
import type { ResourceKey } from '../domain/write/resource.ts';
import { thisAttempt } from '../isolation/attempts/attempt.ts';
import { LeftAttempts } from '../isolation/attempts/earlier-attempts.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { cascadedInRun } from '../isolation/deletes/deletion-steps.ts';
import { removeDeletionPlan } from '../isolation/deletes/step-groups.ts';
import { deleteExecutions } from '../services/batches/purge-batch.ts';
import { wakeWaiting } from '../services/batches/wake-waiting.ts';
import { allCompleted, countStoredOutcomes } from '../services/executions/count-jobs.ts';
import { reportEnd, reportFinished } from '../services/imports/report-batch.ts';
import { announceBatch, eventToNote } from '../services/webhooks/announce.ts';
import { type BatchDocument, readBatch } from '../store/batches/batches.ts';
import { recordFinished, recordSucceeded } from '../store/batches/run-state.ts';
import { isTermination, type Termination } from '../store/batches/terminations.ts';
import { keysOfItems } from '../store/items/item-pages.ts';
import { removeLists } from '../store/items/key-lists.ts';
import { inOrder, outcomeChunks, readOutcomePages, type StoredOutcome } from '../store/items/outcomes.ts';
import { removeWaitsOf } from '../store/items/waits.ts';
import type { Database } from '../store/mongodb/database.ts';
import type { FinishInput } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { showProgress } from './control/show-progress.ts';
import { finishSteps } from './delete/finish-step.ts';
import { createdKeysOf, finishOpenItems } from './finish/finish-open-items.ts';
import { finishEnded } from './terminate/finish-ended.ts';
import { recoverClaims } from './write/apply-cycle.ts';

const CANCELLED: ItemError = { code: 'cancelled', message: 'the batch was cancelled before this item was applied' };
const INTERNAL: ItemError = {
  code: 'internal',
  message: 'the item could not be applied; the worker log has the reason',
};

/**
 * Ends a run: items that are not terminal become `cancelled` (or `failed`, if applying them failed because of a bug), counts
 * are taken from the stored outcomes (unless all items have `succeeded`), and the result is stored. Safe to repeat; a run that has
 * ended is not changed.
 */
export async function finishBatch(context: ActivityContext, input: FinishInput): Promise<BatchSummary> {
  const { database } = context;
  if (input.succeeded && !input.cancelled) {
    const event = await endToNote(context, input, 'success', input.succeeded);
    if (await recordSucceeded(database, input, thisAttempt().runId, input.succeeded, event)) {
      await context.checkpoint?.('ended', input.batchId);
      if (event !== null) await announceBatch(context, input.batchId);
      const { ofImport } = input;
      if (ofImport) await reportEnd(context, ofImport.importId, ofImport.number, input.succeeded);
      return { ...input.succeeded, status: 'success', suspended: false };
    }
  }
  const found = await readBatch(database, input.batchId);
  // The batch was deleted while this run was being started: then nothing of the run stays either.
  if (found === null) await deleteExecutions(context.client, { _id: input.batchId });
  if (found === null || found.run !== input.run) return { ...noResult(), status: 'cancelled', suspended: false };
  if (isTerminal(found.status)) {
    if (hasSteps(found.operation)) await removeDeletionPlan(database, found._id, found.run);
    // the attempt that has finished it may have died before it reported that
    await reportFinished(context, found, found.result ?? noResult());
    if (found.events !== undefined) await announceBatch(context, found._id);
    return { ...(found.result ?? noResult()), status: found.status, suspended: false };
  }
  const batch = await takeOverToFinish(database, found, input);
  // The API has answered that the batch is cancelled; the signal may have come too late for the workflow to know.
  const cancelled = input.cancelled || batch.cancelRequested === true;
  // Nothing of the batch is being applied any more, whatever the reason why its activities and its workflow ended.
  const left = writesResources(batch.operation) && !input.succeeded ? await LeftAttempts.of(database, batch) : null;
  await recoverClaims(context, batch);
  if (hasSteps(batch.operation)) await finishSteps(database, batch);
  const { result, details, created } = input.succeeded
    ? { ...nothingLeft(), result: input.succeeded }
    : await finishItems(context, batch, { ...input, cancelled }, left);
  await left?.end();
  if (batch.operation === 'delete') {
    // a worker of an earlier version has stored no number with its steps: then the workflow's number is the larger one
    const cascaded = Math.max(await cascadedInRun(database, batch._id, batch.run), input.cascaded);
    result.actions.cascaded = batch.cascaded + cascaded;
  }
  if (mayHaveWaited(batch, input)) await stopWaiting(database, batch);
  await wakeWaiting(context, created);
  const status = terminalStatus(result.counts, cancelled);
  const jobs = isTermination(batch) ? await jobsAtTheEnd(database, batch, result) : null;
  const event = await endToNote(context, { ...input, scope: batch.scope }, status, result);
  await recordFinished(database, input, status, result, details, jobs, event);
  await context.checkpoint?.('ended', batch._id);
  await reportFinished(context, batch, result);
  if (event !== null) await announceBatch(context, batch._id);
  if (hasSteps(batch.operation)) await removeDeletionPlan(database, batch._id, batch.run);
  return { ...result, status, suspended: false };
}

/** The event of the end of a run, if a webhook is told of it; it is noted in the write that ends the run. */
async function endToNote(
  { database, subscriptions }: ActivityContext,
  { batchId, scope: given }: Pick<FinishInput, 'batchId' | 'scope'>,
  status: TerminalStatus,
  result: BatchResult,
): Promise<NotedEvent | null> {
  const scope = given ?? (await readBatch(database, batchId))?.scope;
  return scope === undefined ? null : eventToNote(subscriptions, scope, endEvent('batch', status), { status, result });
}

/** If the workflow is lost, recovery takes the place of a later execution, whenever its own activity was scheduled. */
function takeOverToFinish(
  database: Database,
  batch: BatchDocument,
  { abandoned }: FinishInput,
): Promise<BatchDocument> {
  const attempt = thisAttempt();
  if (!abandoned) return takeOverRun(database, batch, attempt);
  const since = Math.max(Date.now(), batch.execution?.since ?? 0);
  return takeOverRun(database, batch, { runId: attempt.runId, since });
}

/** Counts jobs again from the stored outcomes, which are all terminal by now, or from the fact that every item has succeeded. */
async function jobsAtTheEnd(database: Database, batch: Termination, result: BatchResult): Promise<JobCounts> {
  if (result.counts.succeeded === batch.total) return allCompleted(batch);
  return countStoredOutcomes(database, { ...batch, result });
}

export const noResult = (): BatchResult => ({ counts: noCounts(), actions: noActions(), errorCodes: {} });

interface FinishedItems {
  readonly result: BatchResult;
  readonly details: ErrorDetails;
  /** Identities that may have been created without waking the batches that wait for them. */
  readonly created: ResourceKey[];
}

const nothingLeft = (): FinishedItems => ({ result: noResult(), details: {}, created: [] });

/** Whether the batch may be registered for missing references: not without a wait timeout, nor if no item has waited. */
const mayHaveWaited = (batch: BatchDocument, { succeeded }: FinishInput): boolean =>
  succeeded === undefined && waitSecondsOf(batch) > 0;

/** Removes the registrations of this run, and the lists of its missing references. Those of a later run stay (invariant 5). */
async function stopWaiting(database: Database, batch: BatchDocument): Promise<void> {
  await removeWaitsOf(database, batch, showProgress);
  await removeLists(database, batch._id, batch.run);
}

/** Gives every item its outcome and counts them all. */
async function finishItems(
  context: ActivityContext,
  batch: BatchDocument,
  { cancelled, abandoned }: Pick<FinishInput, 'cancelled' | 'abandoned'>,
  left: LeftAttempts | null,
): Promise<FinishedItems> {
  const { database, checkpoint } = context;
  const settled = nothingLeft();
  const { result, details, created } = settled;
  for await (const chunk of outcomeChunks(database, batch)) {
    showProgress();
    const indexes = indexesOf(batch, chunk.pages);
    const open = indexes.filter((index) => isOpen(chunk.outcomes.get(index)?.status));
    let outcomes = chunk.outcomes;
    if (open.length > 0) {
      await checkpoint?.('finishing', batch._id);
      const [status, error] = cancelled ? (['cancelled', CANCELLED] as const) : (['failed', INTERNAL] as const);
      // invariants 2 and 3: commands that an attempt has under way land before the stored data is read, or not at all
      if (left !== null) await left.fence([{ batch, items: await keysOfItems(database, batch, open) }]);
      const rest = batch.operation === 'terminate' ? await withoutEnded(context, batch, open, chunk.outcomes) : open;
      created.push(...(await finishOpenItems(database, batch, rest, status, error)));
      showProgress();
      outcomes = new Map(await readOutcomePages(database, batch._id, chunk.pages));
    }
    // invariant 5: an activity that is not delivered again may have stored these without waking any batch
    if (abandoned) created.push(...(await createdKeysOf(database, batch, chunk.outcomes)));
    addTally(result, tallyOf(indexes.map((index) => outcomes.get(index) ?? { status: 'queued' as const })));
    addErrorDetails(details, inOrder(outcomes));
  }
  return settled;
}

/** Items whose execution is not ended. */
async function withoutEnded(
  context: ActivityContext,
  batch: BatchDocument,
  open: readonly number[],
  outcomes: ReadonlyMap<number, StoredOutcome>,
): Promise<number[]> {
  const isOpenItem = new Set(open);
  const known = new Map([...outcomes].filter(([index]) => isOpenItem.has(index)));
  const ended = await finishEnded(context, batch, known);
  return open.filter((index) => !ended.has(index));
}

function indexesOf(batch: BatchDocument, pages: readonly number[]): number[] {
  return pages.flatMap((page) => {
    const first = page * batch.pageSize;
    return Array.from({ length: Math.min(batch.pageSize, batch.total - first) }, (_, offset) => first + offset);
  });
}
