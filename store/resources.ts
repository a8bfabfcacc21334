import type { Collection } from 'mongodb';
import type { ItemAction } from '../domain/batch/outcome.ts';
import type { Resource, ResourceKey } from '../domain/write/resource.ts';
import type { Database } from './mongodb/database.ts';

/**
 * What keeps the last command of an attempt that has ended from doing anything, however late it lands: whoever
 * takes over puts a new fence on each key that the attempt may still write, and decides only then (isolation of attempts:
 * `docs/attempts.md`). An update names the fence that it was decided under; an insert finds its `_id` taken, by the resource or,
 * where there is none, by a placeholder that no reader sees.
 */
export interface Fence {
  /** Names the attempt that took over. */
  token: string;
  at: Date;
}

/** What is in `hidden` of a placeholder: no group, so that nothing ever commits it. */
export const PLACEHOLDER = 'fence';

/** A stored resource. `_id` is its identity, so the insert is the lock; `version` within one life (`id`) guards each update. */
export interface ResourceDocument {
  _id: ResourceKey;
  /** Public id, new for each life: a resource deleted and uploaded again is another one. */
  id: string;
  scope: string;
  schemaDefinitionId: string;
  externalId: string;
  /** JSON text. */
  data: string;
  /** Bytes of the text, so that nobody has to read it to know. Absent where an earlier version has written it. */
  bytes?: number;
  /** Keys that the data refers to. */
  references: ResourceKey[];
  version: number;
  createdAt: Date;
  updatedAt: Date;
  /** Recent effects; an entry leaves only when its item's outcome is stored (invariant 2). */
  writes: WriteEntry[];
  /** Uncommitted: the group that this resource appears with; not there for readers until the group is committed. */
  hidden?: string;
  /** Put by whoever took over from an attempt that may still have a command under way. */
  fence?: Fence;
  /** The deletion mark: the delete that is about to remove it; gone for readers as soon as that group is committed. */
  leaving?: { batchId: string; group: string };
}

/** The collection `resources`. */
export const resourcesIn = (database: Database): Collection<ResourceDocument> => database.collection('resources');

export interface WriteEntry {
  batchId: string;
  index: number;
  version: number;
  action: ItemAction;
}

export function toResource(document: ResourceDocument): Resource {
  return {
    id: document.id,
    schemaDefinitionId: document.schemaDefinitionId,
    resourceExternalId: document.externalId,
    data: JSON.parse(document.data),
    versionNumber: document.version,
    createdAt: document.createdAt,
    updatedAt: document.updatedAt,
  };
}

export const NO_PLACEHOLDER = { $ne: PLACEHOLDER };
