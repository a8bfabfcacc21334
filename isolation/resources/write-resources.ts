import type { AnyBulkWriteOperation, Filter, UpdateFilter } from 'mongodb';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { updateEach } from '../../store/mongodb/each-by-id.ts';
import { isDuplicateKey } from '../../store/mongodb/errors.ts';
import { type ResourceFormat, resourceFormat } from '../../store/resource-format.ts';
import { PLACEHOLDER, type ResourceDocument, resourcesIn } from '../../store/resources.ts';
import { removeMarked } from '../attempts/fences.ts';
import { dataChange, storedData } from './stored-data.ts';

/**
 * Inserts new resources in the given order, in which targets of references come first.
 * @param fenced keys that a placeholder holds -> its fence: the resource replaces it only under that fence.
 * @returns false if a key is taken: from that one on nothing was inserted, and the rest has to be decided again.
 */
export async function insertResources(
  database: Database,
  documents: readonly ResourceDocument[],
  fenced: ReadonlyMap<ResourceKey, string> = new Map(),
): Promise<boolean> {
  if (documents.length === 0) return true;
  const format = await resourceFormat(database);
  const stored = documents.map((document) => ({ ...document, ...storedData(document, format) }) as ResourceDocument);
  try {
    if (fenced.size === 0) await resourcesIn(database).insertMany(stored, { ordered: true });
    else await resourcesIn(database).bulkWrite(stored.map((document) => insertion(document, fenced.get(document._id))));
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return false;
  }
}

function insertion(document: ResourceDocument, fence: string | undefined): AnyBulkWriteOperation<ResourceDocument> {
  if (fence === undefined) return { insertOne: { document } };
  const { _id, hidden, ...rest } = document;
  // An upsert: if it finds another fence, or no placeholder any more, it meets the taken key as an insert does.
  return {
    updateOne: {
      filter: { _id, 'fence.token': fence, hidden: PLACEHOLDER },
      update: {
        // if the placeholder was removed meanwhile, the resource still gets the fence
        $set: { ...rest, ...(hidden !== undefined && { hidden }), 'fence.at': new Date() },
        ...(hidden === undefined && { $unset: { hidden: '' } }),
      },
      upsert: true,
    },
  };
}

/** Matches a resource while it has the fence that it was read with: after another attempt took over, the decision is outdated. */
const underFenceOf = ({ fence }: ResourceDocument): Filter<ResourceDocument> =>
  fence === undefined ? { fence: { $exists: false } } : { 'fence.token': fence.token };

/** A change of one resource: `from` is the document on which the decision was made. */
export interface ResourceUpdate {
  readonly from: ResourceDocument;
  readonly to: ResourceDocument;
}

/**
 * Updates resources, each only over the version that it was decided on (invariant 4: no lost update).
 * @returns whether all of them are stored. If not, the answer cannot say which: the caller reads again and finds its records.
 */
export async function updateResources(database: Database, updates: readonly ResourceUpdate[]): Promise<boolean> {
  if (updates.length === 0) return true;
  const format = await resourceFormat(database);
  const operations: AnyBulkWriteOperation<ResourceDocument>[] = updates.map(({ from, to }) => ({
    updateOne: {
      filter: {
        _id: from._id,
        id: from.id,
        version: from.version,
        leaving: { $exists: false },
        hidden: { $exists: false },
        ...underFenceOf(from),
      },
      update: updateOf(from, to, format),
    },
  }));
  const result = await resourcesIn(database).bulkWrite(operations, { ordered: false });
  return result.matchedCount === updates.length;
}

/** Only what has changed is sent, and has to be kept by the server: the guard says what the rest is. */
function updateOf(
  from: ResourceDocument,
  to: ResourceDocument,
  format: ResourceFormat,
): UpdateFilter<ResourceDocument> {
  const { $set, $unset: removed } = dataChange(from, to, format);
  const isNoLongerRestored = from.restored !== undefined && to.restored === undefined;
  const $unset = isNoLongerRestored ? { ...removed, restored: '' as const } : removed;
  return {
    $set: {
      ...$set,
      ...(!areSameKeys(from.references, to.references) && { references: to.references }),
      ...(from.schemaName === undefined && to.schemaName !== undefined && { schemaName: to.schemaName }),
      version: to.version,
      ...(to.restored !== undefined && { restored: to.restored }),
      updatedAt: to.updatedAt,
      writes: to.writes,
    },
    ...($unset && { $unset }),
  };
}

/** Makes resources visible whose group is committed: all of them, because the group is removed after that (invariant 1). */
export async function makeVisible(database: Database, group: string, keys: readonly ResourceKey[]): Promise<void> {
  await updateEach(resourcesIn(database), keys, { hidden: group }, { $unset: { hidden: '' } });
}

/** Removes the resources that an aborted group had inserted: no reader has seen them. */
export async function removeUncommitted(
  database: Database,
  group: string,
  keys: readonly ResourceKey[],
): Promise<void> {
  await removeMarked(database, { hidden: group }, keys);
}

/** Takes back the marks of an aborted delete, or exempts these resources: those that are marked when it commits are deleted. */
export async function unmarkForDeletion(
  database: Database,
  group: string,
  keys: readonly ResourceKey[],
): Promise<void> {
  await updateEach(resourcesIn(database), keys, { 'leaving.group': group }, { $unset: { leaving: '' } });
}

/** Removes resources that a committed delete has marked. */
export async function removeMarkedForDeletion(
  database: Database,
  group: string,
  keys: readonly ResourceKey[],
): Promise<void> {
  if (keys.length === 0) return;
  await removeMarked(database, { 'leaving.group': group }, keys);
}

/**
 * Stores the references that a change of the schema makes of unchanged data.
 * @returns false if some are not stored: the resources were written meanwhile, so that they have new references, or were taken over.
 */
export async function replaceReferences(
  database: Database,
  rewrites: readonly { readonly of: ResourceDocument; readonly references: readonly ResourceKey[] }[],
): Promise<boolean> {
  if (rewrites.length === 0) return true;
  const { matchedCount } = await resourcesIn(database).bulkWrite(
    rewrites.map(({ of, references }) => ({
      updateOne: {
        filter: { _id: of._id, id: of.id, version: of.version, ...underFenceOf(of) },
        update: { $set: { references: [...references] } },
      },
    })),
    { ordered: false },
  );
  return matchedCount === rewrites.length;
}

export const areSameKeys = (some: readonly ResourceKey[], others: readonly ResourceKey[]): boolean =>
  some.length === others.length && some.every((key, at) => key === others[at]);
