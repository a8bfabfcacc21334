import type { Collection, Document, Filter } from 'mongodb';
import { KEYS_PER_QUERY, keyParts } from './parts.ts';

interface WithId {
  readonly _id: string;
}

/** Reads a collection from end to end beside everything else that uses it, or some of its documents again. */
export interface Scan<D extends WithId> {
  /** Of the collection, for reports. */
  readonly name: string;
  /** All documents in order of `_id`, some at a time. Each page is a query of its own: nothing is held between two pages, however long a reader takes. */
  pages(): AsyncGenerator<D[]>;
  /** Those of these that are still there, some at a time. */
  again(ids: readonly string[]): AsyncGenerator<D[]>;
}

/** A scan of the fields that a check needs. @param most documents of one page: as many as fit into memory at their largest. */
export function scanOf<T extends { _id: string }, D extends WithId>(
  collection: Collection<T>,
  projection: Document,
  most = KEYS_PER_QUERY,
): Scan<D> {
  return {
    name: collection.collectionName,
    pages: () => pagesInOrder<T, D>(collection, projection, most),
    again: (ids) => documentsOf<T, D>(collection, projection, most, ids),
  };
}

async function* pagesInOrder<T extends { _id: string }, D extends WithId>(
  collection: Collection<T>,
  projection: Document,
  most: number,
): AsyncGenerator<D[]> {
  for (let after = ''; ; ) {
    const page = await collection
      .find({ _id: { $gt: after } } as Filter<T>)
      .project<D>(projection)
      .sort({ _id: 1 })
      .limit(most)
      .toArray();
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = last._id;
  }
}

async function* documentsOf<T extends { _id: string }, D extends WithId>(
  collection: Collection<T>,
  projection: Document,
  most: number,
  ids: readonly string[],
): AsyncGenerator<D[]> {
  for (const some of keyParts(ids, most))
    yield await collection
      .find({ _id: { $in: some } } as Filter<T>)
      .project<D>(projection)
      .toArray();
}
