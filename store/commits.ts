import type { ResourceKey } from '../domain/resource.ts';
import type { Database } from './database.ts';
import { isDuplicateKey } from './errors.ts';

/**
 * A group of resources that appear, or vanish, at one moment: the moment in which this document is inserted. Members carry the
 * group in `hidden` or `leaving.group`; every reader of a marked resource asks here. The first insert decides: a group is
 * committed or aborted for good, whoever inserts, so that a group whose owner died can be aborted by anybody.
 */
export interface CommitDocument {
  _id: string;
  state: 'committed' | 'aborted';
  /** Deletes: keys of the group's chunk that are not deleted. */
  survivors?: ResourceKey[];
  at: Date;
}

/** Decides a group, unless that has been done. Safe to repeat. @returns what was decided. */
export async function decideGroup(
  database: Database,
  group: string,
  state: CommitDocument['state'],
  survivors?: readonly ResourceKey[],
): Promise<CommitDocument> {
  const commit: CommitDocument = { _id: group, state, at: new Date(), ...(survivors && { survivors: [...survivors] }) };
  try {
    await database.commits.insertOne(commit);
    return commit;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return (await database.commits.findOne({ _id: group })) ?? decideGroup(database, group, state, survivors);
}

export async function readGroup(database: Database, group: string): Promise<CommitDocument | null> {
  return database.commits.findOne({ _id: group });
}

export async function committedGroups(database: Database, groups: readonly string[]): Promise<Set<string>> {
  if (groups.length === 0) return new Set();
  const found = await database.commits
    .find({ _id: { $in: [...groups] }, state: 'committed' }, { projection: { _id: 1 } })
    .toArray();
  return new Set(found.map((commit) => commit._id));
}

/** Forgets groups none of whose members is marked any more. */
export async function forgetGroups(database: Database, groups: readonly string[]): Promise<void> {
  if (groups.length > 0) await database.commits.deleteMany({ _id: { $in: [...groups] } });
}

/** Forgets some of the groups decided before `before`: no resource is marked for so long. @returns how many. */
export async function forgetOldGroups(database: Database, before: Date, limit: number): Promise<number> {
  const found = await database.commits
    .find({ at: { $lt: before } }, { projection: { _id: 1 } })
    .limit(limit)
    .toArray();
  await forgetGroups(
    database,
    found.map(({ _id }) => _id),
  );
  return found.length;
}
