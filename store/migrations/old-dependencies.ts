import type { Collection } from 'mongodb';
import { MAX_MISSING_PER_OUTCOME } from '../../domain/limits.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { newList, storeLists } from '../items/key-lists.ts';
import { pendingItemsIn } from '../items/pending-documents.ts';
import { waitsIn } from '../items/waits.ts';
import type { Database } from '../mongodb/database.ts';
import { keyParts, parts } from '../mongodb/parts.ts';

/**
 * The format in which the version before this one stored a missing identity: all batches that wait for it, and all pending items that
 * would create it, in one document. No version writes these any more; waits end within a day, so the next version can remove this code.
 */
interface OldDependencyDocument {
  _id: ResourceKey;
  /** Waiting batch -> token of its latest registration. */
  waiting?: Record<string, string>;
  /** Pending item (`batchId:index`) -> its missing identities, and the batch that has claimed it to apply it with its own. */
  pending?: Record<string, OldPendingEntry>;
}

/**
 * The collection `dependencies`.
 * @internal exported for tests, which look into the collection
 */
export const oldDependenciesIn = (database: Database): Collection<OldDependencyDocument> =>
  database.collection('dependencies');

interface OldPendingEntry {
  missing: ResourceKey[];
  claim?: string;
}

/** Entries that are moved in one command. */
const ENTRIES_AT_ONCE = 500;

/**
 * Moves the earlier version's entries of some identities to `waits` and `pending_items`: to be called
 * before these are read. Copies first and then removes each entry if it is unchanged; so it is safe to repeat, to run
 * twice at once, and beside workers of the earlier version.
 */
export async function adoptOldDependencies(database: Database, keys: Iterable<ResourceKey>): Promise<void> {
  for (const some of keyParts(keys)) {
    for await (const document of oldDependenciesIn(database).find({ _id: { $in: some } }))
      await adopt(database, document);
  }
}

async function adopt(database: Database, { _id: key, waiting = {}, pending = {} }: OldDependencyDocument) {
  for (const some of parts(Object.entries(waiting), ENTRIES_AT_ONCE)) await adoptWaits(database, key, some);
  for (const [id, entry] of Object.entries(pending)) await adoptPending(database, key, id, entry);
  await oldDependenciesIn(database).deleteOne({
    _id: key,
    $and: [
      { $or: [{ waiting: { $exists: false } }, { waiting: {} }] },
      { $or: [{ pending: { $exists: false } }, { pending: {} }] },
    ],
  });
}

async function adoptWaits(database: Database, key: ResourceKey, waiting: readonly [string, string][]): Promise<void> {
  await waitsIn(database).bulkWrite(
    waiting.map(([batchId, token]) => ({
      // a registration that is there already is a later one
      updateOne: {
        filter: { _id: `${batchId}/${key}` },
        update: { $setOnInsert: { key, batchId, token } },
        upsert: true,
      },
    })),
    { ordered: false },
  );
  await oldDependenciesIn(database).bulkWrite(
    waiting.map(([batchId, token]) => ({
      updateOne: {
        filter: { _id: key, [`waiting.${batchId}`]: token },
        update: { $unset: { [`waiting.${batchId}`]: '' as const } },
      },
    })),
    { ordered: false },
  );
}

async function adoptPending(
  database: Database,
  key: ResourceKey,
  id: string,
  { missing, claim }: OldPendingEntry,
): Promise<void> {
  const at = id.lastIndexOf(':');
  const [batchId, index] = [id.slice(0, at), Number(id.slice(at + 1))];
  const _id = `${batchId}/${index}`;
  const listed = missing.length > MAX_MISSING_PER_OUTCOME ? newList(_id, missing) : null;
  if (listed !== null) await storeLists(database, [listed]);
  const held = listed === null ? { missing } : { missing: [], list: listed.list };
  const copied = await pendingItemsIn(database).updateOne(
    { _id },
    { $setOnInsert: { key, batchId, index, ...held, ...(claim !== undefined && { claim }) } },
    { upsert: true },
  );
  const removed = await oldDependenciesIn(database).updateOne(
    { _id: key, [`pending.${id}.claim`]: claim ?? { $exists: false } },
    { $unset: { [`pending.${id}`]: '' as const } },
  );
  // a worker of the earlier version has claimed, released or removed it meanwhile: then its change is kept
  if (removed.modifiedCount === 0 && copied.upsertedCount === 1) await pendingItemsIn(database).deleteOne({ _id });
}
