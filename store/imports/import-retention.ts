import type { Database } from '../mongodb/database.ts';
import { importsIn } from './imports.ts';

/** The shortest retention above `after` that any import has asked for, in days; null if there is none. */
export async function nextImportRetention(database: Database, after: number): Promise<number | null> {
  const found = await importsIn(database).findOne(
    { 'options.retentionDays': { $gt: after } },
    { projection: { 'options.retentionDays': 1 }, sort: { 'options.retentionDays': 1 } },
  );
  return found?.options.retentionDays ?? null;
}

/**
 * Marks some imports as deleted that were completed before `before`.
 * @param asked those that have asked to be kept for so many days; null: those that have not asked. @returns how many.
 */
export async function markImportsExpired(
  database: Database,
  asked: number | null,
  before: Date,
  limit: number,
): Promise<number> {
  // null, as absence has no place in the index
  const expired = {
    'options.retentionDays': asked as never,
    deletedAt: null as never,
    completedAt: { $lt: before },
  };
  const found = await importsIn(database)
    .find(expired, { projection: { _id: 1 } })
    .limit(limit)
    .toArray();
  // one that was retried since then is not finished, and stays
  let marked = 0;
  for (const { _id } of found) {
    const { modifiedCount } = await importsIn(database).updateOne(
      { _id, ...expired },
      { $set: { deletedAt: new Date() } },
    );
    marked += modifiedCount;
  }
  return marked;
}
