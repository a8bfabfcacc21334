import type { Client } from '@temporalio/client';
import {
  BATCH_TYPES,
  type BatchStatus,
  type BatchSummary,
  type BatchType,
  isRetried,
  isTerminal,
  type Operation,
  type Progress,
  progressOf,
} from '../../domain/batch/batch.ts';
import { addErrorDetails, type ErrorDetails } from '../../domain/batch/error-details.ts';
import { type Actions, type Counts, type ItemErrorCode, noActions, noCounts } from '../../domain/batch/outcome.ts';
import { addTally, tallyOf } from '../../domain/batch/tally.ts';
import { UNTIL_END_OF_IMPORT } from '../../domain/imports/import.ts';
import { MAX_STATUS_QUERY_MS } from '../../domain/limits.ts';
import { type BatchDocument, readBatch } from '../../store/batches/batches.ts';
import { inOrder, outcomeChunks, type StoredOutcome } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { batchWorkflowId, statusQuery } from '../../workflows/messages.ts';
import { type PendingResources, pendingResourcesOf } from './pending-resources.ts';
import { startsLater } from './start-time.ts';

/** Options as they were asked for. */
type ShownOptions =
  | BatchDocument['options']
  | (Omit<BatchDocument['options'], 'dependencyWaitTimeout'> & {
      readonly dependencyWaitTimeout: typeof UNTIL_END_OF_IMPORT;
    });

/** A batch as callers read it (docs/api.md#status-and-outcomes). */
export interface BatchView {
  readonly batchId: string;
  readonly batchType: BatchType;
  readonly operation: Operation;
  readonly status: BatchStatus;
  readonly suspended: boolean;
  readonly schemaDefinitionId: string | null;
  readonly schemaName: string | null;
  readonly progress: Progress;
  readonly counts: Counts;
  readonly actions: Actions;
  readonly label?: string;
  readonly priority?: number;
  readonly startAt?: string;
  readonly createdBy?: string;
  readonly validateOnly?: true;
  readonly importId?: string;
  readonly undoneBy?: string;
  readonly options: ShownOptions;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly pendingUntil?: string;
  readonly errors?: {
    readonly summary: Partial<Record<ItemErrorCode, number>>;
    readonly details: Readonly<ErrorDetails>;
    readonly message: string;
  };
  readonly pendingResources?: PendingResources['pendingResources'];
  readonly pendingResourcesTotal?: number;
  readonly source: 'workflow' | 'store';
}

export interface ViewParts {
  readonly database: Database;
  readonly client: Client;
}

/**
 * A batch with its status: from a workflow query while it runs, from the store once it is closed or if no worker answers.
 * @throws errors of MongoDB; an unavailable Temporal is no error.
 */
export async function viewBatch(parts: ViewParts, batch: BatchDocument, withPending: boolean): Promise<BatchView> {
  const { database } = parts;
  // a workflow that waits for its start time answers no query
  const mayAnswer = !isTerminal(batch.status) && !startsLater(batch);
  const answer = mayAnswer ? await querySummary(parts.client, batch._id) : null;
  const isLive = answer !== null && !isTerminal(answer.status);
  // The workflow may not answer because it has ended since; then the store has the result.
  const current = isLive ? batch : ((await readBatch(database, batch._id)) ?? batch);
  const summary = isLive ? await withRetried(database, current, answer) : await storedSummary(database, current);
  const view = toView(current, summary, isLive ? 'workflow' : 'store');
  const errors = await describeErrors(database, current, view);
  return {
    ...view,
    ...(errors && { errors }),
    ...(withPending && (await pendingResourcesOf(database, current, view.counts.pending))),
  };
}

/** A retry that has not been planned yet does not know which items are finished; the store does. */
async function withRetried(database: Database, batch: BatchDocument, answer: BatchSummary): Promise<BatchSummary> {
  if (batch.run === 1 || answer.status !== 'queued') return answer;
  return { ...(await storedSummary(database, batch)), status: answer.status, suspended: answer.suspended };
}

/** A batch of a list: from the store only. */
export async function viewListedBatch(database: Database, batch: BatchDocument): Promise<BatchView> {
  const details: ErrorDetails = {};
  const view = toView(batch, await storedSummary(database, batch, details), 'store');
  // many of them are read together, again and again: what a running batch has stored is read once
  const errors = batch.result
    ? await describeErrors(database, batch, view)
    : view.errors && { ...view.errors, details };
  return errors === undefined ? view : { ...view, errors };
}

/** The state from the workflow; null if none runs, or no worker answers in time. */
async function querySummary(client: Client, batchId: string): Promise<BatchSummary | null> {
  try {
    return await client.withDeadline(Date.now() + MAX_STATUS_QUERY_MS, () =>
      client.workflow.getHandle(batchWorkflowId(batchId)).query(statusQuery),
    );
  } catch (error) {
    // Whatever the reason why the workflow does not answer, the store has an answer.
    if (error instanceof Error) return null;
    throw error;
  }
}

/** The stored result, or the sum of the stored outcomes while there is none. @param details gets their first messages then. */
async function storedSummary(
  database: Database,
  batch: BatchDocument,
  details: ErrorDetails = {},
): Promise<BatchSummary> {
  const { status, suspended } = batch;
  if (batch.result) return { ...batch.result, status, suspended };
  const counts = noCounts();
  const actions = noActions();
  const errorCodes = {};
  const deadlines: number[] = [];
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    const tally = tallyOf(
      status === 'queued' ? [...outcomes.values()].map((one) => asRequeued(batch, one)) : outcomes.values(),
    );
    addTally({ counts, actions, errorCodes }, tally);
    addErrorDetails(details, inOrder(outcomes));
    for (const outcome of outcomes.values()) {
      if (outcome.status === 'pending') deadlines.push(outcome.expiresAt.getTime());
    }
  }
  counts.queued += batch.total - Object.values(counts).reduce((sum, n) => sum + n, 0);
  actions.cascaded = batch.cascaded;
  const earliest = deadlines.reduce((first, deadline) => Math.min(first, deadline), Number.POSITIVE_INFINITY);
  return {
    status,
    suspended,
    counts,
    actions,
    errorCodes,
    ...(deadlines.length > 0 && { pendingUntil: new Date(earliest).toISOString() }),
  };
}

/** The outcomes that a retry is about to requeue. */
function asRequeued(
  { operation }: Pick<BatchDocument, 'operation'>,
  outcome: StoredOutcome,
): Pick<StoredOutcome, 'status'> {
  return isRetried(operation, outcome.status) ? { status: 'queued' } : outcome;
}

function toView(batch: BatchDocument, summary: BatchSummary, source: 'workflow' | 'store'): BatchView {
  const priority = batch.priority ?? batch.importPriority;
  return {
    batchId: batch._id,
    batchType: BATCH_TYPES[batch.operation],
    operation: batch.operation,
    status: summary.status,
    suspended: summary.suspended,
    // rows of an import that name no schema definition
    schemaDefinitionId: batch.schemaDefinitionId || null,
    schemaName: batch.schemaName || null,
    progress: progressOf(summary.counts),
    counts: summary.counts,
    actions: batch.operation === 'undo' ? { reverted: 0, ...summary.actions } : summary.actions,
    ...(batch.label !== undefined && { label: batch.label }),
    ...(priority !== undefined && { priority }),
    ...(batch.startAt && { startAt: batch.startAt.toISOString() }),
    ...(batch.createdBy !== undefined && { createdBy: batch.createdBy }),
    ...(batch.validateOnly && { validateOnly: true as const }),
    ...(batch.importId !== undefined && { importId: batch.importId }),
    ...(batch.undoneBy !== undefined && { undoneBy: batch.undoneBy }),
    options: batch.waitsForImport ? { ...batch.options, dependencyWaitTimeout: UNTIL_END_OF_IMPORT } : batch.options,
    createdAt: batch.createdAt.toISOString(),
    ...(batch.startedAt && { startedAt: batch.startedAt.toISOString() }),
    ...(batch.completedAt && isTerminal(summary.status) && { completedAt: batch.completedAt.toISOString() }),
    ...(summary.pendingUntil !== undefined && { pendingUntil: summary.pendingUntil }),
    ...summaryOfErrors(summary),
    source,
  };
}

export function summaryOfErrors({ errorCodes, counts }: BatchSummary): Pick<BatchView, 'errors'> {
  const codes = Object.entries(errorCodes).filter(([, n]) => n > 0);
  if (codes.length === 0) return {};
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const unsuccessful = counts.failed + counts.expired + counts.cancelled;
  const parts = [
    ...(unsuccessful > 0 ? [`${unsuccessful} of ${total} items did not succeed`] : []),
    ...(counts.skipped > 0 ? [`${counts.skipped} of ${total} items were skipped`] : []),
  ];
  const message = `${parts.join(', ')}: ${codes.map(([code, n]) => `${n} ${code}`).join(', ')}`;
  return { errors: { summary: Object.fromEntries(codes), details: {}, message } };
}

/** The first messages by index: stored with the result, or looked up while there is none. */
async function describeErrors(database: Database, batch: BatchDocument, view: BatchView): Promise<BatchView['errors']> {
  if (view.errors === undefined) return undefined;
  if (batch.result && batch.errorDetails) return { ...view.errors, details: batch.errorDetails };
  const details: ErrorDetails = {};
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    if (!addErrorDetails(details, inOrder(outcomes))) break;
  }
  return { ...view.errors, details };
}
