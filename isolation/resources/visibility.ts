import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { KEYS_AT_ONCE, keyParts } from '../../store/mongodb/parts.ts';
import { NO_PLACEHOLDER, type ResourceDocument, readResources, resourcesIn } from '../../store/resources.ts';
import { committedGroups } from '../groups/groups.ts';

/** The stored resources of these identities, visible or not, without placeholders. */
export async function readStored(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<Map<ResourceKey, ResourceDocument>> {
  if (keys.length === 0) return new Map();
  const stored = new Map<ResourceKey, ResourceDocument>();
  for await (const document of readResources(database, { _id: { $in: [...keys] }, hidden: NO_PLACEHOLDER }))
    stored.set(document._id, document);
  return stored;
}

/** The same without the data: the fields that decide whether a reader sees it. */
export async function readTargets(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<Map<ResourceKey, MarkedDocument>> {
  const found = new Map<ResourceKey, MarkedDocument>();
  for (const some of keyParts(keys, KEYS_AT_ONCE)) {
    const documents = await resourcesIn(database)
      .find({ _id: { $in: some }, hidden: NO_PLACEHOLDER }, { projection: MARKS })
      .toArray();
    for (const document of documents) found.set(document._id, document);
  }
  return found;
}

/** The fields that decide whether a reader sees a resource. */
export type MarkedDocument = Pick<ResourceDocument, '_id' | 'id' | 'hidden' | 'leaving' | 'updatedAt'>;

export const MARKS = { id: 1, hidden: 1, leaving: 1, updatedAt: 1 } as const;

/**
 * The documents that readers see now: uncommitted ones only if committed, marked ones until committed. If another document has been stored
 * under a key since, in place of a placeholder or of another life, it is not the one that was read: that document is left out.
 */
export async function visible<T extends Pick<MarkedDocument, '_id' | 'id' | 'hidden' | 'leaving'>>(
  database: Database,
  documents: readonly T[],
): Promise<T[]> {
  const groups = documents.flatMap((document) => groupOf(document) ?? []);
  if (groups.length === 0) return documents.filter((document) => document.hidden === undefined);
  const committed = await committedGroups(database, [...new Set(groups)]);
  const undecided = documents.filter((document) => {
    const group = groupOf(document);
    return group !== undefined && !committed.has(group);
  });
  // A group is removed only after its members are unmarked: a mark that still exists was not committed.
  const now = await readTargets(
    database,
    undecided.map((document) => document._id),
  );
  return documents.filter((document) => {
    const group = groupOf(document);
    if (group === undefined) return true;
    if (committed.has(group)) return document.hidden !== undefined;
    const current = now.get(document._id);
    return current !== undefined && current.id === document.id && current.hidden === undefined;
  });
}

export const groupOf = (document: Pick<MarkedDocument, 'hidden' | 'leaving'>): string | undefined =>
  document.hidden ?? document.leaving?.group;

export const isMarked = (document: Pick<MarkedDocument, 'hidden' | 'leaving'>): boolean =>
  document.hidden !== undefined || document.leaving !== undefined;
