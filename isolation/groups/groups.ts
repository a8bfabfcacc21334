import type { Collection } from 'mongodb';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { type KeyList, newList, readLists, storeLists } from '../../store/items/key-lists.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { isDuplicateKey } from '../../store/mongodb/errors.ts';
import { type Scan, scanOf } from '../../store/mongodb/scan.ts';

/**
 * A group of resources that appear, or vanish, at one moment: when this document is inserted. Members carry the
 * group in `hidden` or `leaving.group`; every reader of a marked resource reads this document. The first insert decides: a group is
 * committed or aborted for good, whichever process inserts, so that any process can abort a group whose owner died.
 */
export interface CommitDocument {
  _id: string;
  state: 'committed' | 'aborted';
  /** Deletes: keys of the group's step that are not deleted; if these are many, the list that holds them. */
  survivors?: ResourceKey[];
  survivorList?: KeyList;
  at: Date;
}

/** The collection `commits`. */
export const groupsIn = (database: Database): Collection<CommitDocument> => database.collection('commits');

/** Every decision, by its time alone. */
export const scanGroups = (database: Database): Scan<Pick<CommitDocument, '_id' | 'at'>> =>
  scanOf(groupsIn(database), { at: 1 });

/** The decisions on these groups, as far as there are any. */
export async function readDecisions(
  database: Database,
  groups: readonly string[],
): Promise<Map<string, CommitDocument['state']>> {
  const found = await groupsIn(database)
    .find({ _id: { $in: [...new Set(groups)] } })
    .toArray();
  return new Map(found.map((commit) => [commit._id, commit.state]));
}

/** Decides a group, unless that has been done. Safe to repeat. @returns the decision. */
export async function decideGroup(
  database: Database,
  group: string,
  state: CommitDocument['state'],
  survivors?: readonly ResourceKey[],
): Promise<CommitDocument> {
  const commit: CommitDocument = { _id: group, state, at: new Date(), ...(await held(database, group, survivors)) };
  try {
    await groupsIn(database).insertOne(commit);
    return commit;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return (await groupsIn(database).findOne({ _id: group })) ?? decideGroup(database, group, state, survivors);
}

/** Number of survivors that a decision holds itself: with the longest keys, 4 MB. */
const SURVIVORS_PER_COMMIT = 1_000;

async function held(
  database: Database,
  group: string,
  survivors: readonly ResourceKey[] | undefined,
): Promise<Pick<CommitDocument, 'survivors' | 'survivorList'>> {
  if (survivors === undefined) return {};
  if (survivors.length <= SURVIVORS_PER_COMMIT) return { survivors: [...survivors] };
  const listed = newList(group, survivors);
  await storeLists(database, [listed]);
  return { survivorList: listed.list };
}

/** The keys that a committed delete has left. @throws if its list is removed, which happens with the whole plan of the batch. */
export async function survivorsOf(database: Database, commit: CommitDocument): Promise<readonly ResourceKey[]> {
  const [survivors] = await readLists(database, [{ keys: commit.survivors ?? [], list: commit.survivorList }]);
  if (!survivors) throw new Error(`the survivors of ${commit._id} are gone`);
  return survivors;
}

export async function committedGroups(database: Database, groups: readonly string[]): Promise<Set<string>> {
  if (groups.length === 0) return new Set();
  const found = await groupsIn(database)
    .find({ _id: { $in: [...groups] }, state: 'committed' }, { projection: { _id: 1 } })
    .toArray();
  return new Set(found.map((commit) => commit._id));
}

/** Removes groups none of whose members is marked any more. */
export async function forgetGroups(database: Database, groups: readonly string[]): Promise<void> {
  // one that the delete misses is still true, until it is old
  if (groups.length > 0) await groupsIn(database).deleteMany({ _id: { $in: [...groups] } });
}

/** Some of the groups decided before `before`. */
export async function groupsBefore(database: Database, before: Date, limit: number): Promise<string[]> {
  const found = await groupsIn(database)
    .find({ at: { $lt: before } }, { projection: { _id: 1 } })
    .limit(limit)
    .toArray();
  return found.map(({ _id }) => _id);
}
