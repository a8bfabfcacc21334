import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn } from './batches.ts';
import { asRead } from './run-state.ts';

/** Who asks for an undo. */
export interface UndoRequest {
  /** The `sub` of the token. */
  readonly createdBy?: string | undefined;
  /** The bulk operation of which it is a part. */
  readonly bulkId?: string;
}

/** Claims a finished batch for its undo: one of several callers succeeds. @returns null if the batch has changed since it was read. */
export async function claimUndo(
  database: Database,
  batch: BatchDocument,
  undoneBy: string,
  { createdBy, bulkId }: UndoRequest = {},
): Promise<BatchDocument | null> {
  return batchesIn(database).findOneAndUpdate(
    asRead(batch),
    {
      $set: {
        undoneBy,
        undoUnaccepted: true,
        ...(createdBy !== undefined && { undoAskedBy: createdBy }),
        ...(bulkId !== undefined && { bulk: bulkId }),
      },
    },
    { returnDocument: 'after' },
  );
}

/** Notes that the undo of a batch is inserted. Safe to repeat. */
export async function recordUndoAccepted(database: Database, { _id, undoneBy }: BatchDocument): Promise<void> {
  await batchesIn(database).updateOne(
    { _id, ...(undoneBy !== undefined && { undoneBy }) },
    { $unset: { undoUnaccepted: '' } },
  );
}

/** Claimed batches whose undo is not known to be inserted. */
export async function unacceptedUndos(database: Database, after: string, limit: number): Promise<BatchDocument[]> {
  return batchesIn(database)
    .find({ undoUnaccepted: true, _id: { $gt: after } })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
}
