import { nextBatchesAmong } from '../imports/imports.ts';
import type { Database } from '../mongodb/database.ts';
import { batchesIn } from './batches.ts';
import { uninsertedAmong } from './idempotency-keys.ts';

/**
 * Of these ids those that no batch has, and that none will get: its pages belong to nobody. A batch is accepted before it is inserted where its Idempotency-Key is bound, and where
 * an undo has claimed its batch; an import notes its next batch. Recovery inserts all of these, however long after (invariant 1).
 */
export async function withoutBatch(database: Database, ids: readonly string[]): Promise<Set<string>> {
  const missing = await notStored(database, [...new Set(ids)]);
  if (missing.length === 0) return new Set();
  const toCome = new Set<string>();
  for (const among of [nextBatchesAmong, uninsertedAmong, undosAmong])
    for (const id of await among(database, missing)) toCome.add(id);
  // one that was inserted in between is not to come any more: it is there now
  return new Set(
    await notStored(
      database,
      missing.filter((id) => !toCome.has(id)),
    ),
  );
}

async function notStored(database: Database, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const found = await batchesIn(database)
    .find({ _id: { $in: [...ids] } }, { projection: { _id: 1 } })
    .toArray();
  const stored = new Set(found.map(({ _id }) => _id));
  return ids.filter((id) => !stored.has(id));
}

/** Of these, the undos that have claimed the batch that they take back, and are not known to be inserted. */
async function undosAmong(database: Database, ids: readonly string[]): Promise<string[]> {
  const claimed = await batchesIn(database)
    .find({ undoUnaccepted: true, undoneBy: { $in: [...ids] } }, { projection: { undoneBy: 1 } })
    .toArray();
  return claimed.flatMap(({ undoneBy }) => undoneBy ?? []);
}
