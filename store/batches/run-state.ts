import type { Filter } from 'mongodb';
import type { BatchResult, RunningState, TerminalStatus } from '../../domain/batch/batch.ts';
import type { ErrorDetails } from '../../domain/batch/error-details.ts';
import type { JobCounts } from '../../domain/executions/job-counts.ts';
import type { ImportReport } from '../../domain/imports/import.ts';
import { type NotedEvent, noted, noting } from '../../domain/webhooks/noted-event.ts';
import type { KeyList } from '../items/key-lists.ts';
import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn, FIRST_EXECUTION, NOT_TO_BE_STARTED, RUNNING, toBeStarted } from './batches.ts';
import type { RunOfBatch } from './run-fence.ts';

/**
 * Stores the state of a run, and its execution; a finished run, or another run, is not changed. Whether it is suspended is not changed if a
 * caller has sent a control request that the workflow did not know yet: that caller's answer holds from then on. Safe
 * to repeat.
 */
export async function recordRunning(
  database: Database,
  { batchId, run }: { readonly batchId: string; readonly run: number },
  { status, suspended, asked, cancelled }: RunningState,
  execution: string,
  report?: ImportReport,
): Promise<void> {
  const running = { _id: batchId, run, status: RUNNING };
  const known = asked === undefined ? {} : asked === null ? { asked: { $exists: false } } : { 'asked.token': asked };
  const state = { status, ...(cancelled && { cancelRequested: true }), ...(report && { report }) };
  const $addToSet = { executions: execution };
  const { matchedCount } = await batchesIn(database).updateOne(
    { ...running, ...known },
    { $set: { ...state, suspended }, $addToSet },
  );
  if (matchedCount === 0 && asked !== undefined)
    await batchesIn(database).updateOne(running, { $set: state, $addToSet });
}

/** A run that has begun. */
export interface StartedRun {
  readonly batch: BatchDocument;
  /** Nothing has worked on the batch before: no outcome is stored, and no attempt has left anything. */
  readonly isFirst: boolean;
}

/**
 * Notes that an execution runs a batch: since when the batch is worked on, and by which executions. The first execution of a
 * batch works on it from now on; any other one takes over by `takeOverRun`. Safe to repeat: the first time stays.
 * @returns null if there is no such run: it has been finished, or the batch was retried since, or deleted.
 */
export async function recordStarted(
  database: Database,
  batch: { readonly batchId: string; readonly run: number },
  runId: string,
): Promise<StartedRun | null> {
  const { batchId: _id, run } = batch;
  const running = { _id, run, status: RUNNING, deletedAt: { $exists: false } };
  const note = (filter: Filter<BatchDocument>, first: Partial<Pick<BatchDocument, 'execution'>>) =>
    batchesIn(database).findOneAndUpdate(
      { ...running, ...filter },
      {
        $set: { status: 'processing', ...first },
        $min: { startedAt: new Date() },
        $addToSet: { executions: runId },
        $unset: NOT_TO_BE_STARTED,
      },
      { returnDocument: 'after' },
    );
  const begun = await note({ execution: { $exists: false } }, { execution: { runId, run, since: FIRST_EXECUTION } });
  if (begun !== null) return { batch: begun, isFirst: true };
  const continued = await note({}, {});
  return continued === null ? null : { batch: continued, isFirst: false };
}

/**
 * Stores the end of a run whose items have all succeeded, unless its end has more to take into account: a cancellation, claims on items of
 * other batches, or another execution. Safe to repeat.
 * @returns whether it is stored now.
 */
export async function recordSucceeded(
  database: Database,
  { batchId, run }: { readonly batchId: string; readonly run: number },
  runId: string,
  result: BatchResult,
  event: NotedEvent | null,
): Promise<boolean> {
  const nothingElse = Object.fromEntries(
    ['cancelRequested', 'claimOwners', 'claims'].map((field) => [field, { $exists: false }]),
  );
  const { matchedCount } = await batchesIn(database).updateOne(
    { _id: batchId, run, status: RUNNING, 'execution.runId': runId, 'execution.run': run, ...nothingElse },
    endOfRun('success', result, {}, null, event),
  );
  return matchedCount === 1;
}

/** Stores the result of a run. Safe to repeat: the first completion stays. */
export async function recordFinished(
  database: Database,
  batch: { readonly batchId: string; readonly run: number },
  status: TerminalStatus,
  result: BatchResult,
  errorDetails: ErrorDetails = {},
  jobs: JobCounts | null = null,
  event: NotedEvent | null = null,
): Promise<void> {
  await batchesIn(database).updateOne(
    { _id: batch.batchId, run: batch.run, status: RUNNING },
    endOfRun(status, result, errorDetails, jobs && { run: batch.run, ...jobs }, event),
  );
}

const endOfRun = (
  status: TerminalStatus,
  result: BatchResult,
  errorDetails: ErrorDetails = {},
  jobs: BatchDocument['jobs'] | null = null,
  event: NotedEvent | null = null,
) => ({
  $set: {
    status,
    result,
    errorDetails,
    suspended: false,
    completedAt: event?.at ?? new Date(),
    cascaded: result.actions.cascaded,
    ...(jobs && { jobs }),
    ...noted(event),
  },
  $unset: { cancelRequested: '' as const, asked: '' as const, ...NOT_TO_BE_STARTED },
  ...noting(event),
});

/** A finished batch that has not changed since it was read: one of several claims of it succeeds, whatever for. */
export const asRead = ({ _id, run, status }: BatchDocument) => ({
  _id,
  run,
  status,
  undoneBy: { $exists: false },
  deletedAt: { $exists: false },
});

/** Claims a finished batch for another run: one of several callers succeeds. @returns null if the batch has changed since it was read. */
export async function claimRetry(
  database: Database,
  batch: BatchDocument,
  bulk?: string,
): Promise<BatchDocument | null> {
  return batchesIn(database).findOneAndUpdate(
    asRead(batch),
    {
      $set: {
        status: 'queued',
        run: batch.run + 1,
        suspended: false,
        ...toBeStarted(),
        ...(bulk !== undefined && { bulk }),
      },
      $unset: { completedAt: '', result: '', errorDetails: '', hasFailedItems: '', report: '', cycle: '' },
    },
    { returnDocument: 'after' },
  );
}

/** Notes a cycle that a run is to apply, in place of one that was noted before. */
export async function recordCycle(
  database: Database,
  { _id, run }: Pick<RunOfBatch, '_id' | 'run'>,
  cycle: KeyList,
): Promise<void> {
  await batchesIn(database).updateOne({ _id, run, status: RUNNING }, { $set: { cycle } });
}

/** Stores the numbers of a finished run, counted anew; a run that has changed since it was read is not changed. */
export async function recordCountedAnew(
  database: Database,
  { _id, run, status: before, completedAt }: Pick<BatchDocument, '_id' | 'run' | 'status' | 'completedAt'>,
  status: TerminalStatus,
  result: BatchResult,
): Promise<void> {
  const asCounted = { _id, run, status: before, ...(completedAt && { completedAt }) };
  await batchesIn(database).updateOne(asCounted, { $set: { status, result } });
}

/**
 * Notes the batches whose pending items a run is about to claim; none when it is done with them.
 * @returns false if that run is over: then it must claim nothing, because no batch would release the items.
 */
export async function recordClaims(
  database: Database,
  { _id, run }: RunOfBatch,
  owners: ReadonlySet<string>,
): Promise<boolean> {
  const { matchedCount } =
    owners.size > 0
      ? await batchesIn(database).updateOne({ _id, run, status: RUNNING }, { $set: { claimOwners: [...owners] } })
      : await batchesIn(database).updateOne({ _id, run }, { $unset: { claimOwners: '', claims: '' } });
  return matchedCount === 1;
}
