import type { Collection, Filter, UpdateFilter } from 'mongodb';
import { KEYS_PER_QUERY } from './parts.ts';

/**
 * Changes of several documents none of which may be left out. A sharded cluster runs `updateMany` and `deleteMany` on the documents
 * that each shard holds at that moment, so they may miss a document that is being moved from one shard to another; a
 * change of one document by its `_id` always finds it. `updateMany` and `deleteMany` are used only where a missed document is found
 * later, which a comment says there.
 */

interface WithId {
  _id: string;
}

/** Changes each of these documents that matches `and`. @returns the number of changed ones. */
export async function updateEach<T extends WithId>(
  collection: Collection<T>,
  ids: Iterable<string>,
  and: Filter<T>,
  update: UpdateFilter<T>,
): Promise<number> {
  const operations = [...ids].map((_id) => ({ updateOne: { filter: { ...and, _id } as Filter<T>, update } }));
  if (operations.length === 0) return 0;
  return (await collection.bulkWrite(operations, { ordered: false })).matchedCount;
}

/** Removes each of these documents that matches `and`. @returns the number of removed ones. */
export async function deleteEach<T extends WithId>(
  collection: Collection<T>,
  ids: Iterable<string>,
  and: Filter<T> = {},
): Promise<number> {
  const operations = [...ids].map((_id) => ({ deleteOne: { filter: { ...and, _id } as Filter<T> } }));
  if (operations.length === 0) return 0;
  return (await collection.bulkWrite(operations, { ordered: false })).deletedCount;
}

/** Removes every document that a filter finds, until it finds none; calls `progress` in between. */
export async function deleteFound<T extends WithId>(
  collection: Collection<T>,
  filter: Filter<T>,
  progress: () => void = () => undefined,
): Promise<void> {
  for (;;) {
    progress();
    const found = await collection.find(filter).project<WithId>({ _id: 1 }).limit(KEYS_PER_QUERY).toArray();
    await deleteEach(
      collection,
      found.map(({ _id }) => _id),
    );
    if (found.length < KEYS_PER_QUERY) return;
  }
}
