import type { AnyBulkWriteOperation, Filter } from 'mongodb';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { updateEach } from '../../store/mongodb/each-by-id.ts';
import { isDuplicateKey } from '../../store/mongodb/errors.ts';
import { PLACEHOLDER, type ResourceDocument, resourcesIn } from '../../store/resources.ts';
import { removeMarked } from '../attempts/fences.ts';

/**
 * Inserts new resources in the order given, so that what is referred to comes first.
 * @param fenced keys that a placeholder holds -> the fence that it has: the resource takes its place under that fence alone.
 * @returns false where a key is taken: from that one on nothing was inserted, and the rest is to be decided again.
 */
export async function insertResources(
  database: Database,
  documents: readonly ResourceDocument[],
  fenced: ReadonlyMap<ResourceKey, string> = new Map(),
): Promise<boolean> {
  if (documents.length === 0) return true;
  try {
    if (fenced.size === 0) await resourcesIn(database).insertMany([...documents], { ordered: true });
    else
      await resourcesIn(database).bulkWrite(documents.map((document) => insertion(document, fenced.get(document._id))));
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return false;
  }
}

function insertion(document: ResourceDocument, fence: string | undefined): AnyBulkWriteOperation<ResourceDocument> {
  if (fence === undefined) return { insertOne: { document } };
  const { _id, hidden, ...rest } = document;
  // An upsert, so that one which finds another fence, or no placeholder any more, meets the taken key as an insert does.
  return {
    updateOne: {
      filter: { _id, 'fence.token': fence, hidden: PLACEHOLDER },
      update: {
        // where the placeholder has gone meanwhile, the fence has its time all the same
        $set: { ...rest, ...(hidden !== undefined && { hidden }), 'fence.at': new Date() },
        ...(hidden === undefined && { $unset: { hidden: '' } }),
      },
      upsert: true,
    },
  };
}

/** Matches a resource while it has the fence that it was read with: what was decided before another attempt took over is too late. */
const underFenceOf = ({ fence }: ResourceDocument): Filter<ResourceDocument> =>
  fence === undefined ? { fence: { $exists: false } } : { 'fence.token': fence.token };

/** A change of one resource: `from` is the document that the decision was made on. */
export interface ResourceUpdate {
  readonly from: ResourceDocument;
  readonly to: ResourceDocument;
}

/**
 * Updates resources, each only over the version that it was decided on (invariant 4: no lost update).
 * @returns whether all of them are stored. If not, the answer cannot say which: the caller reads again and finds its entries.
 */
export async function updateResources(database: Database, updates: readonly ResourceUpdate[]): Promise<boolean> {
  if (updates.length === 0) return true;
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
      update: {
        $set: {
          data: to.data,
          bytes: to.bytes ?? Buffer.byteLength(to.data),
          references: to.references,
          version: to.version,
          updatedAt: to.updatedAt,
          writes: to.writes,
        },
      },
    },
  }));
  const result = await resourcesIn(database).bulkWrite(operations, { ordered: false });
  return result.matchedCount === updates.length;
}

/** Makes resources visible whose group is committed: all of them, for the group is forgotten after that (invariant 1). */
export async function makeVisible(database: Database, group: string, keys: readonly ResourceKey[]): Promise<void> {
  await updateEach(resourcesIn(database), keys, { hidden: group }, { $unset: { hidden: '' } });
}

/** Removes what a group that was aborted had inserted: nobody has seen it. */
export async function removeUncommitted(
  database: Database,
  group: string,
  keys: readonly ResourceKey[],
): Promise<void> {
  await removeMarked(database, { hidden: group }, keys);
}

/** Takes back the marks of a delete that was aborted, or leaves these out: what is marked when it commits is gone. */
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
 * Puts references in place that a change of the schema makes of unchanged data.
 * @returns false where some are as they were: written meanwhile, so that they have references of their own, or taken over.
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
