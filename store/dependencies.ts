import type { AnyBulkWriteOperation } from 'mongodb';
import type { ResourceKey } from '../domain/resource.ts';
import type { Database } from './database.ts';
import { slices } from './slices.ts';

/**
 * What is known about an identity that is not there: which batches wait for it, and which pending items would create it.
 * Whoever waits registers here, then looks; whoever creates writes, then looks here (invariant 5).
 */
export interface DependencyDocument {
  _id: ResourceKey;
  /** Waiting batch -> token of its latest registration. */
  waiting?: Record<string, string>;
  /** Pending item (`batchId:index`) -> what it misses, and the batch that has claimed it to apply it with its own. */
  pending?: Record<string, PendingEntry>;
}

export interface PendingEntry {
  missing: ResourceKey[];
  claim?: string;
}

/** Most identities in one command: it stays below MongoDB's 16 MB whatever they are. */
const KEYS_AT_ONCE = 5_000;

/** A pending item, wherever it belongs. */
export interface PendingMember {
  readonly key: ResourceKey;
  readonly batchId: string;
  readonly index: number;
}

export interface PendingRegistration {
  readonly key: ResourceKey;
  readonly index: number;
  readonly missing: readonly ResourceKey[];
}

export const pendingEntryId = (batchId: string, index: number): string => `${batchId}:${index}`;

/** Registers pending items of a batch under their own identities and the batch under what they miss. */
export async function registerPending(
  database: Database,
  batchId: string,
  token: string,
  items: readonly PendingRegistration[],
): Promise<void> {
  const missing = new Set(items.flatMap((item) => item.missing));
  const operations: AnyBulkWriteOperation<DependencyDocument>[] = [
    ...[...missing].map((key) => ({
      updateOne: { filter: { _id: key }, update: { $set: { [`waiting.${batchId}`]: token } }, upsert: true },
    })),
    ...items.map((item) => ({
      updateOne: {
        filter: { _id: item.key },
        update: { $set: { [`pending.${pendingEntryId(batchId, item.index)}.missing`]: [...item.missing] } },
        upsert: true,
      },
    })),
  ];
  if (operations.length > 0) await database.dependencies.bulkWrite(operations, { ordered: false });
}

/**
 * Registers pending items once more where that is no longer so: a registration ends with the signal that answers it, and what
 * had appeared may have gone again since.
 * @param absent whether what an item misses is still not there; nothing else needs a registration.
 * @returns whether anything was registered: then the batch looks once more (invariant 5).
 */
export async function renewPending(
  database: Database,
  batchId: string,
  token: string,
  items: readonly PendingRegistration[],
  absent: (key: ResourceKey) => boolean,
): Promise<boolean> {
  const keys = new Set(items.flatMap((item) => [item.key, ...item.missing.filter(absent)]));
  const known = await readDependencies(database, [...keys]);
  const lost = items.filter(
    ({ key, index, missing }) =>
      known.get(key)?.pending?.[pendingEntryId(batchId, index)] === undefined ||
      missing.some((missed) => absent(missed) && known.get(missed)?.waiting?.[batchId] === undefined),
  );
  await registerPending(database, batchId, token, lost);
  return lost.length > 0;
}

/**
 * Takes pending items out of reach of other batches before their own batch decides on them.
 * @returns the indexes that another batch's group has claimed: they are being applied there and are to be left alone.
 */
export async function releasePending(
  database: Database,
  batchId: string,
  items: readonly { readonly key: ResourceKey; readonly index: number }[],
): Promise<Set<number>> {
  if (items.length === 0) return new Set();
  await database.dependencies.bulkWrite(
    items.map(({ key, index }) => {
      const entry = `pending.${pendingEntryId(batchId, index)}`;
      return {
        updateOne: {
          filter: { _id: key, [`${entry}.claim`]: { $exists: false } },
          update: { $unset: { [entry]: '' } },
        },
      };
    }),
    { ordered: false },
  );
  const left = await readDependencies(
    database,
    items.map((item) => item.key),
  );
  const claimed = items.filter(
    ({ key, index }) => left.get(key)?.pending?.[pendingEntryId(batchId, index)] !== undefined,
  );
  await removeEmpty(
    database,
    items.map((item) => item.key),
  );
  return new Set(claimed.map((item) => item.index));
}

export async function readDependencies(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<Map<ResourceKey, DependencyDocument>> {
  const found = new Map<ResourceKey, DependencyDocument>();
  for (const some of slices(keys, KEYS_AT_ONCE)) {
    for (const document of await database.dependencies.find({ _id: { $in: some } }).toArray())
      found.set(document._id, document);
  }
  return found;
}

/** A batch that waits for an identity, as it was read. */
export interface Registration {
  readonly key: ResourceKey;
  readonly batchId: string;
  readonly token: string;
}

/**
 * Removes registrations that were answered, one command for all of a key's. Where one of them was renewed since it was read,
 * the others of its key are removed one by one, and that one stays.
 */
export async function removeWaiting(database: Database, answered: readonly Registration[]): Promise<void> {
  if (answered.length === 0) return;
  const byKey = new Map<ResourceKey, Registration[]>();
  for (const registration of answered) {
    const sameKey = byKey.get(registration.key);
    if (sameKey) sameKey.push(registration);
    else byKey.set(registration.key, [registration]);
  }
  const result = await database.dependencies.bulkWrite([...byKey.values()].map(removalOf), { ordered: false });
  if (result.matchedCount < byKey.size) {
    await database.dependencies.bulkWrite(
      answered.map((registration) => removalOf([registration])),
      { ordered: false },
    );
  }
  await removeEmpty(database, [...byKey.keys()]);
}

/** Removes registrations of one key, if none of them was renewed. */
function removalOf(registrations: readonly Registration[]) {
  const fields = registrations.map(({ batchId, token }) => [`waiting.${batchId}`, token] as const);
  return {
    updateOne: {
      filter: { _id: registrations[0]?.key ?? '', ...Object.fromEntries(fields) },
      update: { $unset: Object.fromEntries(fields.map(([field]) => [field, '' as const])) },
    },
  };
}

/** Pending items that would create one of these identities: identity -> entries by their id. */
export async function readPending(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<Map<ResourceKey, Record<string, PendingEntry>>> {
  const found = new Map<ResourceKey, Record<string, PendingEntry>>();
  for (const some of slices(keys, KEYS_AT_ONCE)) {
    const documents = await database.dependencies
      .find({ _id: { $in: some }, pending: { $exists: true } }, { projection: { pending: 1 } })
      .toArray();
    for (const { _id, pending = {} } of documents) found.set(_id, pending);
  }
  return found;
}

/**
 * Ends every registration of a batch that waits for nothing any more, and calls `progress` on the way. Most documents say nothing
 * else, and go whole, at a fraction of the cost; one that is written meanwhile is not as it was read, and loses the registration
 * alone. What a delivery before this one has emptied, and died, goes too.
 */
export async function stopWaiting(
  database: Database,
  batchId: string,
  keys: readonly ResourceKey[],
  progress: () => void = () => undefined,
): Promise<void> {
  const field = `waiting.${batchId}`;
  for (const some of slices(keys, KEYS_AT_ONCE)) {
    progress();
    const documents = await database.dependencies.find({ _id: { $in: some }, [field]: { $exists: true } }).toArray();
    let left = documents.length;
    for (const [token, alone] of groupByToken(documents, batchId)) {
      const asRead = { _id: { $in: alone }, waiting: { [batchId]: token }, pending: { $exists: false } };
      left -= (await database.dependencies.deleteMany(asRead)).deletedCount;
    }
    if (left > 0) {
      const others = documents.map((document) => document._id);
      await database.dependencies.updateMany({ _id: { $in: others } }, { $unset: { [field]: '' } });
    }
    await removeEmpty(database, some);
  }
}

/** Keys of documents that say nothing but that a batch waits, by the token of its registration. */
function groupByToken(documents: readonly DependencyDocument[], batchId: string): Map<string, ResourceKey[]> {
  const groups = new Map<string, ResourceKey[]>();
  for (const { _id, waiting = {}, pending } of documents) {
    const token = waiting[batchId];
    if (token === undefined || pending !== undefined || Object.keys(waiting).length > 1) continue;
    const group = groups.get(token);
    if (group) group.push(_id);
    else groups.set(token, [_id]);
  }
  return groups;
}

/** Documents that say nothing any more go. One that is written again meanwhile does not match, or is made anew. */
export async function removeEmpty(database: Database, keys: readonly ResourceKey[]): Promise<void> {
  await database.dependencies.deleteMany({
    _id: { $in: [...keys] },
    $and: [
      { $or: [{ waiting: { $exists: false } }, { waiting: {} }] },
      { $or: [{ pending: { $exists: false } }, { pending: {} }] },
    ],
  });
}

/** Claims pending items, wherever they belong, for one group that applies them together; all or none. */
export async function claimPending(
  database: Database,
  group: string,
  members: readonly PendingMember[],
): Promise<boolean> {
  // One order for everybody, and the first on its own: of groups that share all their members, one gets them.
  const [first, ...rest] = [...members].sort(inOrder);
  for (const some of [first === undefined ? [] : [first], rest]) {
    if (some.length === 0) continue;
    const { matchedCount } = await database.dependencies.bulkWrite(some.map((member) => claimOf(group, member)));
    if (matchedCount === some.length) continue;
    await unclaimPending(database, group, members);
    return false;
  }
  return true;
}

const inOrder = (a: PendingMember, b: PendingMember): number =>
  compare(a.key, b.key) || compare(a.batchId, b.batchId) || a.index - b.index;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function claimOf(group: string, { key, batchId, index }: PendingMember): AnyBulkWriteOperation<DependencyDocument> {
  const entry = `pending.${pendingEntryId(batchId, index)}`;
  return {
    updateOne: {
      filter: {
        _id: key,
        [`${entry}.missing`]: { $exists: true },
        $or: [{ [`${entry}.claim`]: { $exists: false } }, { [`${entry}.claim`]: group }],
      },
      update: { $set: { [`${entry}.claim`]: group } },
    },
  };
}

/** Gives claimed items back to their batches. */
export async function unclaimPending(
  database: Database,
  group: string,
  members: readonly PendingMember[],
): Promise<void> {
  if (members.length === 0) return;
  await database.dependencies.bulkWrite(
    members.map(({ key, batchId, index }) => {
      const claim = `pending.${pendingEntryId(batchId, index)}.claim`;
      return { updateOne: { filter: { _id: key, [claim]: group }, update: { $unset: { [claim]: '' } } } };
    }),
    { ordered: false },
  );
}

/** Removes entries of items that are settled, claimed or not. */
export async function dropPending(database: Database, members: readonly PendingMember[]): Promise<void> {
  if (members.length === 0) return;
  await database.dependencies.bulkWrite(
    members.map((member) => ({
      updateOne: {
        filter: { _id: member.key },
        update: { $unset: { [`pending.${pendingEntryId(member.batchId, member.index)}`]: '' } },
      },
    })),
    { ordered: false },
  );
  await removeEmpty(
    database,
    members.map((member) => member.key),
  );
}
