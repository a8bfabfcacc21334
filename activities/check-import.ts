import { isTerminal } from '../domain/batch/batch.ts';
import { forEachConcurrently } from '../domain/collections/for-each-concurrently.ts';
import { hasCode } from '../domain/errors.ts';
import type { BatchReport } from '../domain/imports/import.ts';
import { Confirmations } from '../services/batches/confirmations.ts';
import { cancelBatch, resumeBatch, suspendBatch } from '../services/batches/control-batch.ts';
import { signalBatchOfImport } from '../services/imports/signal-batch.ts';
import { sumBatches } from '../services/imports/sum-batches.ts';
import { readBatch } from '../store/batches/batches.ts';
import { type ImportBatch, recordSuspendedByImport } from '../store/imports/import-batches.ts';
import {
  type ImportDocument,
  readImport,
  recordImportDelivered,
  recordImportRunning,
  requestImportControl,
} from '../store/imports/imports.ts';
import {
  type CheckImportInput,
  checkRoundSignal,
  type ImportState,
  importEndedSignal,
} from '../workflows/imports/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { showProgress } from './control/show-progress.ts';

/** Batches that are told something at a time. */
const BATCHES_AT_ONCE = 10;

/**
 * Reads what is stored of an import and its batches, and brings the batches in line with it: what the import is, suspended or cancelled, its
 * open batches are. Batches that wait are asked for a round of checks, or told that the import has ended.
 * Everything in it can be repeated.
 * @returns null if there is no such run (any more).
 */
export async function checkImport(context: ActivityContext, input: CheckImportInput): Promise<ImportState | null> {
  const { database } = context;
  if (input.isCancelled) await requestImportControl(database, input.importId, { cancelRequested: true });
  const imported = await readImport(database, input.importId);
  if (imported?.run !== input.run || isTerminal(imported.status) || imported.deletedAt !== undefined) return null;
  const { finished, finishedBatches, open } = await sumBatches(database, imported._id);
  await forEachConcurrently(open, BATCHES_AT_ONCE, async (batch) => {
    showProgress();
    await bringInLine(context, imported, batch);
    await passOn(context, input, batch);
  });
  const isWaiting = imported.cut.isAtEnd && open.length > 0 && open.every(({ report }) => report !== undefined);
  await recordImportRunning(database, imported, isWaiting ? 'waiting' : 'processing');
  await recordImportDelivered(database, imported);
  return {
    suspended: imported.suspended,
    cancelled: imported.cancelRequested === true,
    next: imported.cut.number,
    isAtEnd: imported.cut.isAtEnd,
    sealed: imported.sealed,
    rowsRead: imported.cut.rows,
    bytesRead: imported.cut.bytes,
    received: imported.received,
    finished,
    finishedBatches,
    open: open.map(toOpen),
  };
}

function toOpen({ importNumber: number = 0, total, report }: ImportBatch): ImportState['open'][number] {
  if (report === undefined) return { number, total };
  const { counts, actions, errorCodes, round } = report;
  const known: BatchReport = {
    number,
    isFinished: false,
    round,
    counts: some(counts),
    actions: some(actions),
    errorCodes,
  };
  return { number, total, report: known };
}

/** Numbers without those that are 0: thousands of batches may wait, and their reports go through Temporal. */
const some = <T extends object>(numbers: T): T =>
  Object.fromEntries(Object.entries(numbers).filter(([, n]) => n > 0)) as T;

/** A batch that a caller has suspended on its own stays so; one that has finished meanwhile needs nothing. */
async function bringInLine(context: ActivityContext, imported: ImportDocument, batch: ImportBatch): Promise<void> {
  const { database } = context;
  const isToCancel = imported.cancelRequested && !batch.cancelRequested;
  const isToSuspend = imported.suspended && !batch.suspended;
  const isToResume = !imported.suspended && batch.suspended && batch.suspendedByImport;
  if (!isToCancel && !isToSuspend && !isToResume) return;
  const whole = await readBatch(database, batch._id);
  if (whole === null) return;
  const parts = controlParts(context);
  try {
    if (isToCancel) await cancelBatch(parts, whole);
    else if (isToSuspend) {
      await recordSuspendedByImport(database, batch._id, true);
      await suspendBatch(parts, whole);
    } else {
      await resumeBatch(parts, whole);
      await recordSuspendedByImport(database, batch._id, false);
    }
  } catch (error) {
    if (!hasCode(error, 'operation_not_allowed')) throw error;
  }
}

const controlParts = (context: ActivityContext) => ({
  ...context,
  confirmations: new Confirmations(context),
  startFailed: () => undefined,
  isTemporalThere: async () => true,
  assertStarts: async () => undefined,
});

async function passOn(
  { client }: ActivityContext,
  { round, isEnd }: CheckImportInput,
  batch: ImportBatch,
): Promise<void> {
  // a batch that has not reported that it only waits is not asked: what it does may create what others miss
  if (batch.report === undefined) return;
  if (isEnd) await signalBatchOfImport(client, batch._id, (handle) => handle.signal(importEndedSignal));
  else if (round !== undefined && batch.report.round < round)
    await signalBatchOfImport(client, batch._id, (handle) => handle.signal(checkRoundSignal, round));
}
