import type { Database } from './database.ts';
import { isDuplicateKey } from './errors.ts';

/**
 * A group of resources that appear, or vanish, at one moment: the moment in which this document is inserted. Members carry
 * the group in `hidden` or `leaving.group`; every reader of a marked resource asks here. Removed once no member is marked.
 */
export interface CommitDocument {
  _id: string;
  committedAt: Date;
}

/** Makes the group's change visible, all at once. Safe to repeat. */
export async function commitGroup(database: Database, group: string): Promise<void> {
  try {
    await database.commits.insertOne({ _id: group, committedAt: new Date() });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

export async function committedGroups(database: Database, groups: readonly string[]): Promise<Set<string>> {
  if (groups.length === 0) return new Set();
  const found = await database.commits.find({ _id: { $in: [...groups] } }, { projection: { _id: 1 } }).toArray();
  return new Set(found.map((commit) => commit._id));
}

/** Forgets groups none of whose members is marked any more. */
export async function forgetGroups(database: Database, groups: readonly string[]): Promise<void> {
  if (groups.length > 0) await database.commits.deleteMany({ _id: { $in: [...groups] } });
}
