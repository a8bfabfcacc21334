import type { BatchResult } from '../../domain/batch/batch.ts';
import { noActions, noCounts } from '../../domain/batch/outcome.ts';
import { addTally } from '../../domain/batch/tally.ts';
import type { ImportUndo } from '../../domain/bulk/bulk-operation.ts';
import { type BatchDocument, batchesIn, readBatches } from '../batches/batches.ts';
import type { Database } from '../mongodb/database.ts';
import { KEYS_PER_QUERY } from '../mongodb/parts.ts';
import { type ImportDocument, importsIn, NOT_DELETED } from './imports.ts';

/**
 * Claims a finished import for its undo: one of several succeeds, and the same one again; one that follows others takes over from them.
 * @returns null if it has changed since it was read.
 */
export async function claimImportUndo(
  database: Database,
  { importId, run, after }: Pick<ImportUndo, 'importId' | 'run' | 'after'>,
  undoneBy: string,
): Promise<ImportDocument | null> {
  return importsIn(database).findOneAndUpdate(
    {
      _id: importId,
      run,
      completedAt: { $exists: true },
      $or: [{ undoneBy: { $exists: false } }, { undoneBy: { $in: [undoneBy, ...after.slice(-1)] } }],
      ...NOT_DELETED,
    },
    { $set: { undoneBy } },
    { returnDocument: 'after' },
  );
}

/** How many batches of an import are there to be undone. */
export async function countUndoableBatches(database: Database, importId: string): Promise<number> {
  return batchesIn(database).countDocuments({ importId, deletedAt: { $exists: false } });
}

/** The batch of an import that comes after a number. @param at null: the first one. @param isDown the newest ones come first. */
export async function nextImportBatch(
  database: Database,
  importId: string,
  at: number | null,
  isDown: boolean,
): Promise<BatchDocument | null> {
  const importNumber = isDown ? { $lt: at ?? Number.MAX_SAFE_INTEGER } : { $gt: at ?? 0 };
  return batchesIn(database).findOne(
    { importId, importNumber, deletedAt: { $exists: false } },
    { sort: { importNumber: isDown ? -1 : 1 } },
  );
}

/** What became of the items of the undos of an import's batches. @param progress called for each part of them. */
export async function sumOfUndos(
  database: Database,
  importId: string,
  operations: readonly string[],
  progress: () => void,
): Promise<Pick<BatchResult, 'counts' | 'actions'>> {
  const sum: BatchResult = { counts: noCounts(), actions: noActions(), errorCodes: {} };
  let ids: string[] = [];
  const add = async (): Promise<void> => {
    progress();
    for (const { result } of await readBatches(database, ids)) if (result) addTally(sum, result);
    ids = [];
  };
  const undone = batchesIn(database)
    .find({ importId, importNumber: { $gte: 1 } })
    .project<Pick<BatchDocument, 'undoneBy' | 'bulk'>>({ undoneBy: 1, bulk: 1 })
    .sort({ importNumber: 1 });
  for await (const batch of undone) {
    if (batch.undoneBy !== undefined && operations.includes(batch.bulk ?? '')) ids.push(batch.undoneBy);
    if (ids.length === KEYS_PER_QUERY) await add();
  }
  await add();
  const { counts, actions } = sum;
  return { counts, actions };
}
