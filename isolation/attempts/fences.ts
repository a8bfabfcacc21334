import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { deleteEach, updateEach } from '../../store/mongodb/each-by-id.ts';
import { isDuplicateKey } from '../../store/mongodb/errors.ts';
import { parts } from '../../store/mongodb/parts.ts';
import { type Fence, PLACEHOLDER, type ResourceDocument, resourcesIn } from '../../store/resources.ts';

/** How long a fence holds after it was put, in ms: longer than a command is under way, on any network or server. */
const FENCE_MS = 60 * 60 * 1000;

/** Number of fences that are put at once: each is a command of its own in a bulk write. */
const FENCES_AT_ONCE = 500;

/** Puts a fence on every key, whether or not it has a resource. When this returns, nothing that was decided before can be written. Safe to repeat. */
export async function fenceResources(database: Database, token: string, keys: readonly ResourceKey[]): Promise<void> {
  for (const some of parts([...new Set(keys)], FENCES_AT_ONCE)) await fenceSome(database, token, some);
}

async function fenceSome(database: Database, token: string, keys: ResourceKey[]): Promise<void> {
  for (;;) {
    const fence: Fence = { token, at: new Date() };
    if ((await updateEach(resourcesIn(database), keys, {}, { $set: { fence } })) === keys.length) return;
    const stored = await resourcesIn(database)
      .find({ _id: { $in: keys } }, { projection: { _id: 1 } })
      .toArray();
    const taken = new Set(stored.map(({ _id }) => _id));
    const placeholders = keys.filter((key) => !taken.has(key)).map((_id) => placeholder(_id, fence));
    try {
      if (placeholders.length > 0) await resourcesIn(database).insertMany(placeholders, { ordered: false });
    } catch (error) {
      // a resource that was inserted in between, late or not, is stored: it gets its fence in the next round
      if (!isDuplicateKey(error)) throw error;
    }
  }
}

/** Puts a fence on the stored resources of these keys: a change that was decided before is not made any more. */
export async function fenceStored(database: Database, token: string, keys: readonly ResourceKey[]): Promise<void> {
  await updateEach(resourcesIn(database), keys, {}, { $set: { fence: { token, at: new Date() } } });
}

/** It belongs to no schema definition and to no list of a tenant: only a query by its key finds it. */
function placeholder(_id: ResourceKey, fence: Fence): ResourceDocument {
  const document: Pick<ResourceDocument, '_id' | 'hidden' | 'fence' | 'references' | 'writes' | 'updatedAt'> = {
    _id,
    hidden: PLACEHOLDER,
    fence,
    references: [],
    writes: [],
    updatedAt: fence.at,
  };
  return document as ResourceDocument; // every reader leaves placeholders out (`hidden`)
}

/**
 * Removes resources, or placeholders and uncommitted ones. If a fence is still in force, a placeholder stays in their place: a late insert of
 * the same key may be on its way.
 * @param mark a condition for all of them: one that has changed meanwhile stays.
 */
export async function removeMarked(
  database: Database,
  mark: { hidden: string } | { 'leaving.group': string },
  keys: readonly ResourceKey[],
): Promise<void> {
  const deleted = await deleteEach(resourcesIn(database), keys, { ...mark, fence: { $exists: false } });
  if (deleted === keys.length) return;
  await deleteEach(resourcesIn(database), keys, { ...mark, 'fence.at': { $lte: new Date(Date.now() - FENCE_MS) } });
  await updateEach(resourcesIn(database), keys, mark, {
    $set: { hidden: PLACEHOLDER, references: [], writes: [] },
    $unset: {
      leaving: '',
      id: '',
      scope: '',
      schemaDefinitionId: '',
      schemaName: '',
      externalId: '',
      data: '',
      bytes: '',
      version: '',
      createdAt: '',
    },
  });
}

/** Removes placeholders whose fence is no longer in force. @returns how many. */
export async function removeOldPlaceholders(database: Database): Promise<number> {
  const old = new Date(Date.now() - FENCE_MS);
  // a placeholder that the delete misses is found by the next pass
  const { deletedCount } = await resourcesIn(database).deleteMany({ hidden: PLACEHOLDER, 'fence.at': { $lte: old } });
  return deletedCount;
}
