import { v7 as uuidv7 } from 'uuid';
import { isTerminal, isUndoable } from '../../domain/batch/batch.ts';
import { DroverError } from '../../domain/errors.ts';
import { type BatchDocument, insertBatch, readBatch } from '../../store/batches/batches.ts';
import { claimUndo, recordUndoAccepted, type UndoRequest } from '../../store/batches/undone.ts';
import { itemKey } from '../../store/items/item-keys.ts';
import { UNDONE_PER_PAGE, writeSamePages } from '../../store/items/item-pages.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { type AcceptParts, startOrLeave, timeOf } from '../batches/accept-batch.ts';
import { itemsToUndo } from './undo-items.ts';

interface UndoParts extends AcceptParts {
  /** @throws if Temporal accepts no starts: then nothing is stored. */
  assertStarts(): Promise<void>;
}

/**
 * Starts a batch that takes back the effects of another one. The claim of the batch is one write, and the acceptance (invariant 1): one of several concurrent
 * requests succeeds, and whatever dies after it, recovery accepts and starts the undo.
 * @throws DroverError `operation_not_allowed` on a batch that cannot be undone, or has been.
 */
export async function undoBatch(
  parts: UndoParts,
  batch: BatchDocument,
  request: UndoRequest = {},
  progress: () => void = () => undefined,
): Promise<BatchDocument> {
  assertCanBeUndone(batch);
  await parts.assertStarts();
  const claimed = await claimUndo(parts.database, batch, uuidv7(), request);
  if (claimed === null) {
    assertCanBeUndone((await readBatch(parts.database, batch._id)) ?? batch);
    throw new DroverError('operation_not_allowed', 'the batch has changed meanwhile and cannot be undone');
  }
  const undo = await acceptUndo(parts.database, claimed, progress);
  await startOrLeave(parts, undo);
  return undo;
}

/** @throws DroverError `operation_not_allowed` */
export function assertCanBeUndone(batch: BatchDocument): void {
  const why = whyNot(batch);
  if (why !== null) throw new DroverError('operation_not_allowed', why);
}

function whyNot(batch: BatchDocument): string | null {
  if (batch.operation === 'undo') return 'an undo cannot be undone';
  if (batch.operation === 'terminate') return 'a deletion of process instances cannot be undone';
  if (!isTerminal(batch.status)) return 'the batch is still running; only a finished one can be undone';
  if (batch.undoneBy !== undefined) return `the batch has been undone already, by batch ${batch.undoneBy}`;
  return isUndoable(batch)
    ? null
    : 'what the batch has changed is not kept: only a batch that was started with undoable=true can be undone';
}

/**
 * Stores the undo of a claimed batch: its items, then the batch itself. Safe to repeat, and to run twice at once: both store the same.
 * @param progress called for each page: a delete may have ended a million states.
 */
export async function acceptUndo(
  database: Database,
  undone: BatchDocument,
  progress: () => void = () => undefined,
): Promise<BatchDocument> {
  const { _id: undoOf, undoneBy, undoAskedBy, platform, tenant, schemaDefinitionId, schemaName } = undone;
  if (undoneBy === undefined || schemaDefinitionId === undefined) throw new Error('the batch is not claimed');
  const scope = { platform, tenant };
  const pages = { batchId: undoneBy, keyOf: (externalId: string) => itemKey(scope, externalId) };
  let total = 0;
  let page = 0;
  for await (const items of itemsToUndo(database, undone)) {
    progress();
    await writeSamePages(database, pages, items, UNDONE_PER_PAGE, page);
    total += items.length;
    page += 1;
  }
  const undo = await insertBatch(database, {
    _id: undoneBy,
    scope,
    operation: 'undo',
    options: { undoOf },
    schemaDefinitionId,
    schemaName,
    total,
    pageSize: UNDONE_PER_PAGE,
    createdAt: timeOf(undoneBy),
    ...(undoAskedBy !== undefined && { createdBy: undoAskedBy }),
  });
  await recordUndoAccepted(database, undone);
  return undo;
}
