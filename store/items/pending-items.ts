import { isTerminal, RUNNING_STATUSES } from '../../domain/batch/batch.ts';
import { appendTo } from '../../domain/collections/append-to.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { type BatchDocument, batchesIn } from '../batches/batches.ts';
import { noLaterRun, type RunOfBatch, upsertOfRun } from '../batches/run-fence.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteEach, updateEach } from '../mongodb/each-by-id.ts';
import { KEYS_AT_ONCE, keyParts, parts } from '../mongodb/parts.ts';
import { KEYS_PER_PART, type KeyList, type ListedKeys, readLists } from './key-lists.ts';
import { type PendingItemDocument, type PendingMember, pendingItemsIn } from './pending-documents.ts';
import { registeredKeys, registerWaits } from './waits.ts';

/** A pending item that other batches have to find. */
export interface PendingRegistration {
  readonly key: ResourceKey;
  readonly index: number;
  /** All its missing references. */
  readonly missing: readonly ResourceKey[];
  /** The list of them, if there is one. */
  readonly list?: KeyList | undefined;
}

export const pendingId = (batchId: string, index: number): string => `${batchId}/${index}`;
const idOf = ({ batchId, index }: PendingMember): string => pendingId(batchId, index);

/** Pending items that are written in one command: each holds up to 20 identities. */
const ITEMS_AT_ONCE = 100;

/**
 * Registers a run of a batch under the missing references of its pending items, and the items under their own identities. Registrations
 * of a later run are not changed. Safe to repeat.
 */
export async function registerPending(
  database: Database,
  batch: RunOfBatch,
  token: string,
  items: readonly PendingRegistration[],
): Promise<void> {
  const { _id: batchId, run } = batch;
  await registerWaits(database, batch, token, new Set(items.flatMap((item) => item.missing)));
  for (const some of parts(items, ITEMS_AT_ONCE)) {
    await upsertOfRun(
      pendingItemsIn(database),
      run,
      some.map(({ key, index, missing, list }) => ({
        _id: pendingId(batchId, index),
        update:
          list === undefined
            ? { $set: { key, batchId, index, run, missing: [...missing] }, $unset: { list: '' as const } }
            : { $set: { key, batchId, index, run, missing: [], list } },
      })),
    );
  }
}

/**
 * Registers pending items again if their registration is gone: a registration ends with the signal that answers it, and a resource
 * that had appeared may have been deleted since.
 * @param absent whether a reference of an item is still missing; only those need a registration.
 * @returns whether anything was registered: then the batch checks once more (invariant 5).
 */
export async function renewPending(
  database: Database,
  batch: RunOfBatch,
  token: string,
  items: readonly PendingRegistration[],
  absent: (key: ResourceKey) => boolean,
): Promise<boolean> {
  const missing = new Set(items.flatMap((item) => item.missing.filter(absent)));
  const registered = await registeredKeys(database, batch, missing);
  const stored = await readItems(database, batch, items);
  const lost = items.filter(
    (item) =>
      !isStored(item, stored.get(item.index)) || item.missing.some((key) => absent(key) && !registered.has(key)),
  );
  await registerPending(database, batch, token, lost);
  return lost.length > 0;
}

/** Whether others find the item under its present missing references: another batch that tried to apply it may have found more. */
function isStored({ missing, list }: PendingRegistration, stored: PendingItemDocument | undefined): boolean {
  if (stored === undefined) return false;
  if (list !== undefined) return stored.list?.id === list.id;
  return stored.missing.length === missing.length && missing.every((key, at) => stored.missing[at] === key);
}

/** Of these items, those that this run has registered, so that others find them. */
export async function registeredItems(
  database: Database,
  batch: RunOfBatch,
  indexes: readonly number[],
): Promise<Set<number>> {
  const stored = await readItems(
    database,
    batch,
    indexes.map((index) => ({ index })),
  );
  return new Set(stored.keys());
}

/** Items as this run has registered them: registrations of an earlier run may be removed at any time. */
async function readItems(
  database: Database,
  { _id: batchId, run }: RunOfBatch,
  items: readonly { readonly index: number }[],
): Promise<Map<number, PendingItemDocument>> {
  const ids = items.map(({ index }) => pendingId(batchId, index));
  const documents = await pendingItemsIn(database)
    .find({ _id: { $in: ids }, run: { $gte: run } })
    .toArray();
  return new Map(documents.map((document) => [document.index, document]));
}

/**
 * Removes pending items from the store, so that no other batch claims them, before their own batch decides on them.
 * @returns the indexes that another batch has claimed: it is applying them, and they must not be touched.
 */
export async function releasePending(
  database: Database,
  { _id: batchId, run }: RunOfBatch,
  items: readonly { readonly key: ResourceKey; readonly index: number }[],
): Promise<Set<number>> {
  if (items.length === 0) return new Set();
  // not those of a later run: other batches have to find its items
  const own = { _id: { $in: items.map(({ index }) => pendingId(batchId, index)) }, ...noLaterRun(run) };
  await pendingItemsIn(database).deleteMany({ ...own, claim: { $exists: false } });
  const left = await pendingItemsIn(database)
    .find(own, { projection: { index: 1, claim: 1 } })
    .toArray();
  if (left.length === 0) return new Set();
  const valid = await validClaims(database, batchId, new Set(left.flatMap(({ claim }) => claim ?? [])));
  const isValid = ({ claim }: Pick<PendingItemDocument, 'claim'>): boolean => claim === undefined || valid.has(claim);
  const late = left.filter((item) => !isValid(item)).map(({ _id }) => _id);
  await pendingItemsIn(database).deleteMany({ _id: { $in: late }, ...noLaterRun(run), claim: { $nin: [...valid] } });
  return new Set(left.filter(isValid).map(({ index }) => index));
}

/**
 * The runs that may have claimed items of this batch: those that are not over and have noted that they do. Any other claim is that of
 * a command which landed after its attempt had ended, and no batch will release it.
 */
async function validClaims(database: Database, batchId: string, claims: ReadonlySet<string>): Promise<Set<string>> {
  const noted = [{ claimOwners: batchId }, { claims: { $exists: true } }];
  const ids = [...new Set([...claims].map(batchOfClaim))];
  const claiming = await batchesIn(database)
    .find({ _id: { $in: ids }, status: { $in: [...RUNNING_STATUSES] }, $or: noted }, { projection: { run: 1 } })
    .toArray();
  const valid = new Set(claiming.flatMap((batch) => claimsUpTo(batch)));
  return new Set([...claims].filter((claim) => valid.has(claim)));
}

/** The pending items of a run of a batch that others find, with all their missing references, a few thousand of these at a time. */
export async function* pendingOfBatch(
  database: Database,
  { _id, run }: RunOfBatch,
): AsyncGenerator<(PendingMember & { readonly missing: readonly ResourceKey[] })[]> {
  // '0' comes right after '/'
  const found = pendingItemsIn(database).find({ _id: { $gt: `${_id}/`, $lt: `${_id}0` }, run: { $gte: run } });
  let some: PendingItemDocument[] = [];
  let keys = 0;
  for await (const document of found) {
    some.push(document);
    keys += document.missing.length + (document.list?.parts ?? 0) * KEYS_PER_PART;
    if (keys < KEYS_AT_ONCE) continue;
    yield await withMissing(database, some);
    some = [];
    keys = 0;
  }
  if (some.length > 0) yield await withMissing(database, some);
}

/** The pending items with these ids (`pendingId`), with all their missing references. */
export async function readPendingById(
  database: Database,
  ids: readonly string[],
): Promise<(PendingMember & { readonly missing: readonly ResourceKey[] })[]> {
  const found: PendingItemDocument[] = [];
  for (const some of keyParts(ids))
    for await (const document of pendingItemsIn(database).find({ _id: { $in: some } })) found.push(document);
  return withMissing(database, found);
}

/**
 * Pending items that would create one of these identities, with all their missing references.
 * @param most largest number that is read; any number of batches may have an item for one identity.
 */
export async function readPending(
  database: Database,
  keys: Iterable<ResourceKey>,
  most: number,
): Promise<(PendingMember & { readonly missing: readonly ResourceKey[] })[]> {
  const found: PendingItemDocument[] = [];
  for (const some of keyParts(keys)) {
    if (found.length >= most) break;
    const documents = pendingItemsIn(database)
      .find({ key: { $in: some } })
      .limit(most - found.length);
    for await (const document of documents) found.push(document);
  }
  return withMissing(database, found);
}

/** Without those whose list is lost: their batch waits for nothing any more. */
async function withMissing(
  database: Database,
  found: readonly PendingItemDocument[],
): Promise<(PendingMember & { readonly missing: readonly ResourceKey[] })[]> {
  const missing = await readLists(database, found.map(listedOf));
  return found.flatMap(({ key, batchId, index, run }, at) => {
    const all = missing[at];
    return all ? [{ key, batchId, index, run, missing: all }] : [];
  });
}

const listedOf = ({ missing, list }: PendingItemDocument): ListedKeys => ({ keys: missing, list });

/**
 * The name under which a run claims pending items. Each run has its own: a late attempt of an earlier run releases nothing that
 * a later run has claimed.
 */
const claimOf = ({ _id, run }: RunOfBatch): string => (run === 1 ? _id : `${_id}/${run}`);

/** The batch that has claimed an item. */
export const batchOfClaim = (claim: string): string => claim.split('/')[0] ?? claim;

/** The names under which a run, or one before it, may have claimed items; a worker of an earlier version claims under the batch's id alone. */
const claimsUpTo = ({ _id, run }: RunOfBatch): string[] =>
  Array.from({ length: run }, (_, before) => claimOf({ _id, run: before + 1 }));

/** Claims pending items of any batch for a run that applies them together; all or none. */
export async function claimPending(
  database: Database,
  batch: RunOfBatch,
  members: readonly PendingMember[],
): Promise<boolean> {
  const group = claimOf(batch);
  // All batches claim in the same order, and the first item separately: of groups that share all their members, one gets them.
  const [first, ...rest] = [...members].sort(inOrder);
  for (const some of [first === undefined ? [] : [first], ...parts(rest)]) {
    if (some.length === 0) continue;
    const { matchedCount } = await pendingItemsIn(database).bulkWrite(
      some.map((member) => ({
        updateOne: {
          filter: { _id: idOf(member), $or: [{ claim: { $exists: false } }, { claim: group }] },
          update: { $set: { claim: group } },
        },
      })),
    );
    if (matchedCount === some.length) continue;
    await unclaimPending(database, batch, members);
    return false;
  }
  return true;
}

const inOrder = (a: PendingMember, b: PendingMember): number =>
  compare(a.key, b.key) || compare(a.batchId, b.batchId) || a.index - b.index;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The items that a run, or one before it, has claimed and not released. */
export async function claimedBy(database: Database, batch: RunOfBatch): Promise<PendingMember[]> {
  const projection = { key: 1, batchId: 1, index: 1, run: 1 };
  return pendingItemsIn(database)
    .find({ claim: { $in: claimsUpTo(batch) } }, { projection })
    .toArray();
}

/** Whether the run that has claimed an item may still release it: it is not over, and has noted whose items it claims. */
export function isValidClaim(
  { claim = '', batchId }: Pick<PendingItemDocument, 'claim' | 'batchId'>,
  claiming: ReadonlyMap<string, Pick<BatchDocument, 'status' | 'claimOwners' | 'claims'>>,
): boolean {
  const run = claiming.get(batchOfClaim(claim));
  if (run === undefined || isTerminal(run.status)) return false;
  return run.claims !== undefined || run.claimOwners?.includes(batchId) === true;
}

/** Releases items to their batches that nobody releases; another claim stays. */
export async function dropClaims(
  database: Database,
  claimed: readonly Pick<PendingItemDocument, '_id' | 'claim'>[],
): Promise<void> {
  for (const { _id, claim } of claimed)
    if (claim !== undefined) await pendingItemsIn(database).updateOne({ _id, claim }, { $unset: { claim: '' } });
}

/** About how many items wait, of all tenants: the server knows it without counting. */
export async function estimatedPendingItems(database: Database): Promise<number> {
  return pendingItemsIn(database).estimatedDocumentCount();
}

/** Releases claimed items to their batches. */
export async function unclaimPending(
  database: Database,
  batch: RunOfBatch,
  members: readonly PendingMember[],
): Promise<void> {
  const claim = { $in: claimsUpTo(batch) };
  for (const some of parts(members))
    await updateEach(pendingItemsIn(database), some.map(idOf), { claim }, { $unset: { claim: '' } });
}

/** Removes items that have a terminal outcome, claimed or not; one that a later run of its batch has registered since it was read stays. */
export async function dropPending(database: Database, members: readonly PendingMember[]): Promise<void> {
  const byRun = new Map<number, PendingMember[]>();
  for (const member of members) {
    appendTo(byRun, member.run ?? 0, member);
  }
  for (const [run, ofRun] of byRun) {
    for (const some of parts(ofRun)) await deleteEach(pendingItemsIn(database), some.map(idOf), noLaterRun(run));
  }
}
