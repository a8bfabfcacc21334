import { setTimeout as sleep } from 'node:timers/promises';
import { countRetried, isTerminal } from '../../domain/batch/batch.ts';
import { bulkStatus, hasAnotherPass } from '../../domain/bulk/bulk-operation.ts';
import { hasCode } from '../../domain/errors.ts';
import { type ControlParts, retryBatch } from '../../services/batches/control-batch.ts';
import { acceptUndo, undoBatch } from '../../services/undo/undo-batch.ts';
import { claimForUndo } from '../../services/undo/undo-import.ts';
import { type BatchDocument, readBatch } from '../../store/batches/batches.ts';
import {
  type ImportUndoDocument,
  recordAwaited,
  recordBulkFinished,
  recordNextPass,
  recordTurn,
} from '../../store/bulk/bulk-operations.ts';
import { countUndoableBatches, nextImportBatch, sumOfUndos } from '../../store/imports/undone-imports.ts';
import { showProgress } from '../control/show-progress.ts';

/** Time in which an activity waits for the end of an undo itself, in ms: most have ended by then. */
const PATIENCE_MS = 2_000;
const POLL_MS = 50;
/** Time after which the workflow asks again for the end of an undo, in ms. */
const WAIT_MS = 1_000;

/** A turn that is over, or has to wait for so many ms. */
type Turn = { readonly waitMs: number } | null;

const NOT_DONE = { done: 0, skipped: 0, failed: {} };
const UNCHANGED = { left: 0, reverted: 0 };

/**
 * The next turn of the undo of an import: a batch is undone, and when that has ended, the turn is noted, once. What it has begun, whoever repeats this finds: the
 * claim of a batch names the operation, and the run of an undo that runs again is noted before.
 */
export async function nextTurn(parts: ControlParts, operation: ImportUndoDocument): Promise<Turn> {
  const { database } = parts;
  const { _id, undo } = operation;
  if (!undo.isClaimed) return claim(parts, operation);
  const batch = await nextImportBatch(database, undo.importId, undo.at, undo.pass % 2 === 1);
  if (batch === null) {
    if (hasAnotherPass(undo) && !operation.cancelRequested) await recordNextPass(database, operation);
    else await finish(parts, operation);
    return null;
  }
  const isOurs = batch.undoneBy !== undefined && batch.bulk === _id;
  if (undo.pass > 1) return isOurs ? runAgain(parts, operation, batch) : pass(parts, operation, batch);
  if (isOurs) return undone(parts, operation, batch, await accepted(parts, batch));
  if (operation.cancelRequested) return finish(parts, operation);
  if (batch.undoneBy !== undefined) return pass(parts, operation, batch, { ...NOT_DONE, skipped: 1 });
  try {
    const { createdBy } = operation;
    const begun = await undoBatch(parts, batch, { createdBy, bulkId: _id });
    return await undone(parts, operation, batch, begun);
  } catch (error) {
    if (!hasCode(error, 'operation_not_allowed')) throw error;
    return pass(parts, operation, batch, { ...NOT_DONE, failed: { operation_not_allowed: 1 } });
  }
}

/** The request that has stored the operation may have died before it claimed the import. */
async function claim({ database }: ControlParts, { _id, undo }: ImportUndoDocument): Promise<null> {
  const matched = await countUndoableBatches(database, undo.importId);
  // it has been undone by another request, is running again, or is gone
  if ((await claimForUndo(database, { _id, undo }, matched)) === null)
    await recordBulkFinished(database, _id, 'failed');
  return null;
}

/** The undo of a batch that this operation has claimed. */
async function accepted({ database }: ControlParts, batch: BatchDocument): Promise<BatchDocument | null> {
  // whoever has claimed it may have died before the undo was stored; recovery starts it
  if (batch.undoUnaccepted) await acceptUndo(database, batch);
  return readBatch(database, batch.undoneBy ?? '');
}

/** The turn of a batch that is undone for the first time ends with its undo. */
async function undone(
  parts: ControlParts,
  operation: ImportUndoDocument,
  batch: BatchDocument,
  undo: BatchDocument | null,
): Promise<Turn> {
  const ended = undo && (await endOf(parts, undo));
  if (ended === 'running') return { waitMs: WAIT_MS };
  if (ended === null) return pass(parts, operation, batch, { ...NOT_DONE, skipped: 1 });
  const change = { left: leftOf(ended), reverted: ended.result?.actions.reverted ?? 0 };
  return pass(parts, operation, batch, { ...NOT_DONE, done: 1 }, change);
}

/** The turn in a later pass: what its undo has not reverted runs again. */
async function runAgain(parts: ControlParts, operation: ImportUndoDocument, batch: BatchDocument): Promise<Turn> {
  const { database } = parts;
  const { awaited } = operation.undo;
  const found = await readBatch(database, batch.undoneBy ?? '');
  const undo = found && (await endOf(parts, found));
  if (undo === 'running') return { waitMs: WAIT_MS };
  if (undo === null || (leftOf(undo) === 0 && awaited === undefined)) return pass(parts, operation, batch);
  if (awaited !== undefined && undo.run >= awaited.run) {
    const left = leftOf(undo);
    return pass(parts, operation, batch, NOT_DONE, { left, reverted: Math.max(0, awaited.left - left) });
  }
  if (operation.cancelRequested) return finish(parts, operation);
  const number = batch.importNumber ?? 0;
  await recordAwaited(database, operation, { number, run: undo.run + 1, left: leftOf(undo) });
  try {
    const again = await retryBatch(parts, undo);
    // the turn ends in the next step, which knows what is awaited
    return (await endOf(parts, again)) === 'running' ? { waitMs: WAIT_MS } : null;
  } catch (error) {
    if (!hasCode(error, 'operation_not_allowed')) throw error;
    return pass(parts, operation, batch, NOT_DONE, { ...UNCHANGED, left: leftOf(undo) });
  }
}

const leftOf = ({ result }: BatchDocument): number => (result ? countRetried('undo', result.counts) : 0);

/** An undo once it has ended; null: it has been removed. */
async function endOf({ database }: ControlParts, undo: BatchDocument): Promise<BatchDocument | 'running' | null> {
  const until = Date.now() + PATIENCE_MS;
  for (let now: BatchDocument | null = undo; ; now = await readBatch(database, undo._id)) {
    showProgress();
    if (now === null || now.deletedAt !== undefined) return null;
    if (isTerminal(now.status)) return now;
    if (Date.now() > until) return 'running';
    await sleep(POLL_MS);
  }
}

async function pass(
  { database }: ControlParts,
  operation: ImportUndoDocument,
  { importNumber: at = 0 }: BatchDocument,
  counts: Parameters<typeof recordTurn>[3] = NOT_DONE,
  change: Omit<Parameters<typeof recordTurn>[2], 'at'> = UNCHANGED,
): Promise<null> {
  await recordTurn(database, operation, { at, ...change }, counts);
  return null;
}

async function finish({ database }: ControlParts, operation: ImportUndoDocument): Promise<null> {
  const { _id, undo, cancelRequested } = operation;
  const items = await sumOfUndos(database, undo.importId, _id, showProgress);
  const status = cancelRequested ? 'cancelled' : bulkStatus(operation, items.counts);
  await recordBulkFinished(database, _id, status, items);
  return null;
}
