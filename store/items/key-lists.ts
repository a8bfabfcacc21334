import { randomUUID } from 'node:crypto';
import type { Collection } from 'mongodb';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { noLaterRun } from '../batches/run-fence.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteEach, deleteFound } from '../mongodb/each-by-id.ts';
import { BYTES_PER_COMMAND, keyParts, partsByBytes } from '../mongodb/parts.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';

/**
 * A part of a list of identities that is too long for the document that names it: all missing identities of a pending item, the survivors
 * of a large step of a delete, or the ids of the pending items of a cycle. Written before the document that names the list, and never changed: each writer of such a document makes
 * a list of its own.
 */
interface KeyListDocument {
  /** `batchId/…/list#part`. */
  _id: string;
  keys: ResourceKey[];
  /** The run whose pending item misses them; absent: an earlier version has written it, or the list belongs to a delete, which names the run in `_id`. */
  run?: number;
}

/**
 * The collection `key_lists`.
 * @internal exported for tests, which look into the collection
 */
export const keyListsIn = (database: Database): Collection<KeyListDocument> => database.collection('key_lists');

/** Every part of a list, without its keys. */
export const scanLists = (database: Database): Scan<Omit<KeyListDocument, 'keys'>> =>
  scanOf(keyListsIn(database), { keys: 0 });

/** Names a stored list: its parts are `id#0` to `id#(parts - 1)`. */
export interface KeyList {
  id: string;
  parts: number;
}

/** Largest number of keys, and bytes of keys, in one document: the list of 10,000 references has many. */
export const KEYS_PER_PART = 1_000;
const BYTES_PER_PART = 1024 * 1024;

/** The missing identities of an item, given directly or as a stored list. */
export interface ListedKeys {
  readonly keys: readonly ResourceKey[];
  readonly list?: KeyList | undefined;
}

/** A list that is about to be stored. */
export interface NewList {
  readonly list: KeyList;
  readonly documents: readonly KeyListDocument[];
}

/** Makes a list with a unique name. @param owner `batchId/…`, the item or step of the list. @param run of the batch. */
export function newList(owner: string, keys: readonly ResourceKey[], run?: number): NewList {
  const id = `${owner}/${randomUUID()}`;
  const parts = [...partsByBytes(keys, KEYS_PER_PART, Buffer.byteLength, BYTES_PER_PART)];
  return {
    list: { id, parts: parts.length },
    documents: parts.map((some, part) => ({ _id: `${id}#${part}`, keys: some, ...(run !== undefined && { run }) })),
  };
}

export async function storeLists(database: Database, lists: readonly NewList[]): Promise<void> {
  const documents = lists.flatMap((list) => list.documents);
  const bytesOf = ({ keys }: KeyListDocument) => keys.reduce((sum, key) => sum + Buffer.byteLength(key), 0);
  for (const some of partsByBytes(documents, KEYS_PER_PART, bytesOf, BYTES_PER_COMMAND))
    await keyListsIn(database).insertMany(some, { ordered: false });
}

/**
 * All missing identities of some items, in their order: from the stored list, or the given keys; null if the list is lost, because
 * the batch of the item waits for nothing any more.
 */
export async function readLists(
  database: Database,
  listed: readonly ListedKeys[],
): Promise<(readonly ResourceKey[] | null)[]> {
  const ids = listed.flatMap(({ list }) => (list === undefined ? [] : partIds(list)));
  const parts = new Map<string, ResourceKey[]>();
  for (const some of keyParts(ids)) {
    for await (const { _id, keys } of keyListsIn(database).find({ _id: { $in: some } })) parts.set(_id, keys);
  }
  return listed.map(({ keys, list }) => {
    if (list === undefined) return keys;
    const found = partIds(list).map((id) => parts.get(id));
    return found.includes(undefined) ? null : found.flatMap((part) => part ?? []);
  });
}

const partIds = ({ id, parts }: KeyList): string[] => Array.from({ length: parts }, (_, part) => `${id}#${part}`);

/**
 * Removes all lists of a batch that waits for nothing any more. Safe to repeat.
 * @param run the run that has ended: the lists of a later one stay.
 */
export async function removeLists(database: Database, owner: string, run?: number): Promise<void> {
  // '0' comes right after '/'
  const ofOwner = { _id: { $gt: `${owner}/`, $lt: `${owner}0` } };
  await deleteFound(keyListsIn(database), { ...ofOwner, ...(run !== undefined && noLaterRun(run)) });
}

/** Removes some parts of lists: each list is made once, and its name is of no other one. Safe to repeat. */
export async function removeListParts(database: Database, ids: readonly string[]): Promise<void> {
  await deleteEach(keyListsIn(database), ids);
}
