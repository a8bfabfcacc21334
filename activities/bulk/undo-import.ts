import { countRetried, isTerminal } from '../../domain/batch/batch.ts';
import { bulkStatus, hasAnotherPass } from '../../domain/bulk/bulk-operation.ts';
import { hasCode } from '../../domain/errors.ts';
import { type ControlParts, retryBatch } from '../../services/batches/control-batch.ts';
import { acceptUndo, undoBatch } from '../../services/undo/undo-batch.ts';
import { claimForUndo } from '../../services/undo/undo-import.ts';
import { type BatchDocument, readBatch } from '../../store/batches/batches.ts';
import {
  type ImportUndoDocument,
  readBulkOperation,
  recordAwaited,
  recordBulkFinished,
  recordBulkStarted,
  recordNextPass,
  recordTurn,
} from '../../store/bulk/bulk-operations.ts';
import { countUndoableBatches, nextImportBatch, sumOfUndos } from '../../store/imports/undone-imports.ts';
import type { BulkProgress } from '../../workflows/bulk/messages.ts';
import type { ActivityContext } from '../activity-context.ts';
import { controlParts } from '../control/control-parts.ts';
import { showProgress } from '../control/show-progress.ts';
import { progressOf } from './run-bulk-operation.ts';

/** Time after which an activity takes up nothing new, in ms. */
const PORTION_MS = 3_000;
/**
 * Time after which the workflow asks again for the end of an undo, in ms: a share of how long that takes already. Nothing waits in an activity, whose place the undo itself
 * may need.
 */
const LEAST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;
const WAIT_SHARE = 0.25;

/** A turn that is over, or has to wait for so many ms. */
type Turn = { readonly waitMs: number } | null;

const NOT_DONE = { done: 0, skipped: 0, failed: {} };
const UNCHANGED = { left: 0, reverted: 0 };

/** Goes on with the undo of an import. Safe to repeat at any step: each turn is noted once. */
export async function undoImport(
  context: ActivityContext,
  { bulkId }: { readonly bulkId: string },
): Promise<BulkProgress> {
  const { database } = context;
  const until = Date.now() + PORTION_MS;
  let operation = await recordBulkStarted(database, bulkId);
  while (operation !== null && operation.completedAt === undefined && Date.now() < until) {
    if (operation.verb !== 'undo') throw new Error('a bulk operation that is not an undo has another workflow');
    showProgress();
    await context.checkpoint?.('bulk-slice', bulkId);
    const turn = await nextTurn(controlParts(context), operation);
    await context.checkpoint?.('bulk-acted', bulkId);
    operation = await readBulkOperation(database, bulkId);
    if (turn !== null && operation !== null) return { ...progressOf(operation), waitMs: turn.waitMs };
  }
  const now = operation ?? (await readBulkOperation(database, bulkId));
  return now === null ? { isOver: true, matched: 0, done: 0, skipped: 0, failed: {} } : progressOf(now);
}

/**
 * The next turn of the undo of an import: a batch is undone, and when that has ended, the turn is noted, once. What it has begun, whoever repeats this finds: the
 * claim of a batch names the operation, and the run of an undo that runs again is noted before.
 */
async function nextTurn(parts: ControlParts, operation: ImportUndoDocument): Promise<Turn> {
  const { database } = parts;
  const { _id, undo } = operation;
  if (!undo.isClaimed) return claim(parts, operation);
  // the undo that runs goes on by itself
  if (operation.cancelRequested) return finish(parts, operation);
  const batch = await nextImportBatch(database, undo.importId, undo.at, undo.pass % 2 === 1);
  if (batch === null) {
    if (hasAnotherPass(undo)) await recordNextPass(database, operation);
    else await finish(parts, operation);
    return null;
  }
  const isOurs = batch.undoneBy !== undefined && isOf(operation, batch);
  if (undo.pass > 1) return isOurs ? runAgain(parts, operation, batch) : pass(parts, operation, batch);
  if (isOurs) return undone(parts, operation, batch, await accepted(parts, batch));
  if (batch.undoneBy !== undefined) return pass(parts, operation, batch, { ...NOT_DONE, skipped: 1 });
  try {
    const { createdBy } = operation;
    const begun = await undoBatch(parts, batch, { createdBy, bulkId: _id }, showProgress);
    return await undone(parts, operation, batch, begun);
  } catch (error) {
    if (!hasCode(error, 'operation_not_allowed')) throw error;
    return pass(parts, operation, batch, { ...NOT_DONE, failed: { operation_not_allowed: 1 } });
  }
}

/** Whether it has undone a batch, or one before it that it goes on with. */
const isOf = ({ _id, undo }: ImportUndoDocument, { bulk }: BatchDocument): boolean =>
  bulk === _id || undo.after.includes(bulk ?? '');

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
  if (batch.undoUnaccepted) await acceptUndo(database, batch, showProgress);
  return readBatch(database, batch.undoneBy ?? '');
}

/** The turn of a batch that is undone for the first time ends with its undo. */
async function undone(
  parts: ControlParts,
  operation: ImportUndoDocument,
  batch: BatchDocument,
  undo: BatchDocument | null,
): Promise<Turn> {
  const ended = endOf(undo);
  if (ended !== null && 'waitMs' in ended) return ended;
  if (ended === null) return pass(parts, operation, batch, { ...NOT_DONE, skipped: 1 });
  const change = { left: leftOf(ended), reverted: ended.result?.actions.reverted ?? 0 };
  return pass(parts, operation, batch, { ...NOT_DONE, done: 1 }, change);
}

/** The turn in a later pass: what its undo has not reverted runs again, unless a caller has cancelled it. */
async function runAgain(parts: ControlParts, operation: ImportUndoDocument, batch: BatchDocument): Promise<Turn> {
  const { database } = parts;
  const { importNumber: number = 0 } = batch;
  const { awaited: last } = operation.undo;
  const awaited = last?.number === number ? last : undefined;
  const undo = endOf(await readBatch(database, batch.undoneBy ?? ''));
  if (undo !== null && 'waitMs' in undo) return undo;
  if (undo === null) return pass(parts, operation, batch);
  const left = leftOf(undo);
  if (awaited !== undefined && undo.run >= awaited.run)
    return pass(parts, operation, batch, NOT_DONE, { left, reverted: Math.max(0, awaited.left - left) });
  if (left === 0 || undo.status === 'cancelled') return pass(parts, operation, batch);
  await recordAwaited(database, operation, { number, run: undo.run + 1, left });
  try {
    const again = endOf(await retryBatch(parts, undo));
    return again !== null && 'waitMs' in again ? again : null;
  } catch (error) {
    if (!hasCode(error, 'operation_not_allowed')) throw error;
    return pass(parts, operation, batch, NOT_DONE, { ...UNCHANGED, left });
  }
}

const leftOf = ({ result }: BatchDocument): number => (result ? countRetried('undo', result.counts) : 0);

/** An undo that has ended, or when to look again; null: it has been removed. */
function endOf(undo: BatchDocument | null): BatchDocument | { readonly waitMs: number } | null {
  if (undo === null || undo.deletedAt !== undefined) return null;
  if (isTerminal(undo.status)) return undo;
  const since = Date.now() - (undo.startedAt ?? undo.createdAt).getTime();
  return { waitMs: Math.round(Math.min(LONGEST_WAIT_MS, Math.max(LEAST_WAIT_MS, since * WAIT_SHARE))) };
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
  const { _id, undo, cancelRequested, matched, done, skipped, failed } = operation;
  const items = await sumOfUndos(database, undo.importId, [_id, ...undo.after], showProgress);
  const seen = Object.values(failed).reduce((sum, count) => sum + count, done + skipped);
  // batches that were removed with their import, or on their own, before their turn
  const gone = cancelRequested ? 0 : Math.max(0, matched - seen);
  const counts = { done, skipped, failed: gone > 0 ? { ...failed, not_found: gone } : failed };
  const status = cancelRequested ? 'cancelled' : bulkStatus(counts, items.counts);
  await recordBulkFinished(database, _id, status, items, gone);
  return null;
}
