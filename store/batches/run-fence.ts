import type { Collection, Filter, UpdateFilter } from 'mongodb';
import { isDuplicateKey } from '../mongodb/errors.ts';

/** A run of a batch, which writes a document. */
export interface RunOfBatch {
  readonly _id: string;
  readonly run: number;
}

/** The filter for documents that no run after `run` has written; those of an earlier version name no run. */
export const noLaterRun = (run: number) => ({ run: { $not: { $gt: run } } });

/**
 * Writes documents of a batch, except those that a later run of it has written: a late command of a run that has ended
 * changes nothing that a later run relies on. Safe to repeat.
 * @param writes by `_id`; each of the updates sets `run`.
 */
export async function upsertOfRun<T extends { _id: string; run?: number }>(
  collection: Collection<T>,
  run: number,
  writes: readonly { readonly _id: string; readonly update: UpdateFilter<T> }[],
): Promise<void> {
  for (let left = writes; left.length > 0; ) {
    try {
      await collection.bulkWrite(
        left.map(({ _id, update }) => ({
          updateOne: { filter: { _id, ...noLaterRun(run) } as Filter<T>, update, upsert: true },
        })),
        { ordered: false },
      );
      return;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      // a later run has written some; others may just have been inserted by another attempt, and match now
      const ids = left.map(({ _id }) => _id);
      const filter = { _id: { $in: ids }, run: { $gt: run } } as Filter<T>;
      const later = new Set<string>();
      for (const { _id } of await collection.find(filter, { projection: { _id: 1 } }).toArray()) later.add(String(_id));
      left = left.filter(({ _id }) => !later.has(_id));
    }
  }
}
