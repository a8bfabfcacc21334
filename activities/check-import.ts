import { isTerminal } from '../domain/batch/batch.ts';
import { forEachConcurrently } from '../domain/collections/for-each-concurrently.ts';
import { hasCode } from '../domain/errors.ts';
import { cancelBatch, resumeBatch, suspendBatch } from '../services/batches/control-batch.ts';
import { sumBatches, sumOfAll } from '../services/imports/sum-batches.ts';
import { readBatch } from '../store/batches/batches.ts';
import { type ImportBatch, recordSuspendedByImport } from '../store/imports/import-batches.ts';
import {
  type ImportDocument,
  readImport,
  recordImportDelivered,
  recordImportRunning,
  requestImportControl,
} from '../store/imports/imports.ts';
import type { CheckImportInput, ImportState } from '../workflows/imports/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { controlParts } from './control/control-parts.ts';
import { showProgress } from './control/show-progress.ts';

/** Batches that are controlled at a time. */
const BATCHES_AT_ONCE = 10;
/** Running batches that the workflow is told by their numbers: more than any window, as callers may retry batches on their own. */
const MOST_NUMBERED = 1_000;

type Change = 'cancel' | 'suspend' | 'resume';

/**
 * Reads what is stored of an import and its batches, and brings the batches in line with it: what the import is, suspended or cancelled, its
 * open batches are. Everything in it can be repeated. Its result has the same size however many batches wait.
 * @returns null if there is no such run (any more).
 */
export async function checkImport(context: ActivityContext, input: CheckImportInput): Promise<ImportState | null> {
  const { database } = context;
  if (input.isCancelled) await requestImportControl(database, input.importId, { cancelRequested: true });
  const imported = await readImport(database, input.importId);
  if (imported?.run !== input.run || isTerminal(imported.status) || imported.deletedAt !== undefined) return null;
  const toChange: { readonly _id: string; readonly change: Change }[] = [];
  const numbered: { number: number; total: number }[] = [];
  const visit = (batch: ImportBatch): void => {
    const change = changeOf(imported, batch);
    if (change !== null) toChange.push({ _id: batch._id, change });
    const { importNumber: number = 0, total, report } = batch;
    if (report === undefined && numbered.length < MOST_NUMBERED) numbered.push({ number, total });
  };
  const stored = await sumBatches(database, imported._id, visit, showProgress);
  await forEachConcurrently(toChange, BATCHES_AT_ONCE, async ({ _id, change }) => {
    showProgress();
    await bringInLine(context, _id, change);
  });
  const { finished, waiting, running } = stored;
  const isWaiting = imported.cut.isAtEnd && waiting.batches > 0 && running.batches === 0;
  const sum = { ...sumOfAll(stored), open: waiting.batches + running.batches };
  await recordImportRunning(database, imported, isWaiting ? 'waiting' : 'processing', sum);
  await recordImportDelivered(database, imported);
  const named = numbered.reduce((sum, { total }) => sum + total, 0);
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
    waiting,
    running: numbered,
    unnamed: { batches: running.batches - numbered.length, rows: running.rows - named },
  };
}

/** A batch that a caller has suspended on its own stays so. */
function changeOf(imported: ImportDocument, batch: ImportBatch): Change | null {
  if (imported.cancelRequested) return batch.cancelRequested ? null : 'cancel';
  if (imported.suspended) return batch.suspended ? null : 'suspend';
  return batch.suspended && batch.suspendedByImport ? 'resume' : null;
}

/** A batch that has finished meanwhile needs nothing. */
async function bringInLine(context: ActivityContext, batchId: string, change: Change): Promise<void> {
  const { database } = context;
  const batch = await readBatch(database, batchId);
  if (batch === null) return;
  const parts = controlParts(context);
  try {
    if (change === 'cancel') await cancelBatch(parts, batch);
    else if (change === 'suspend') {
      await recordSuspendedByImport(database, batchId, true);
      await suspendBatch(parts, batch);
    } else {
      await resumeBatch(parts, batch);
      await recordSuspendedByImport(database, batchId, false);
    }
  } catch (error) {
    if (!hasCode(error, 'operation_not_allowed')) throw error;
  }
}
