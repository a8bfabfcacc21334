import type { Collection } from 'mongodb';
import type { ItemAction } from '../domain/batch/outcome.ts';
import type { Resource, ResourceKey } from '../domain/write/resource.ts';
import type { Database } from './mongodb/database.ts';

/**
 * Prevents the last command of an ended attempt from having an effect, however late it lands: the attempt that
 * takes over puts a new fence on each key that the earlier attempt may still write, and decides only then (isolation of attempts:
 * `docs/attempts.md`). An update names the fence that it was decided under; an insert finds its `_id` taken, by the resource or,
 * if there is none, by a placeholder that no reader sees.
 */
export interface Fence {
  /** Names the attempt that took over. */
  token: string;
  at: Date;
}

/** Value of `hidden` in a placeholder: it names no group, so nothing ever commits it. */
export const PLACEHOLDER = 'fence';

/** A stored resource. `_id` is its identity, so the insert is the lock; `version` within one life (`id`) guards each update. */
export interface ResourceDocument {
  _id: ResourceKey;
  /** Public id, new for each life: a resource that was deleted and uploaded again has another one. */
  id: string;
  scope: string;
  schemaDefinitionId: string;
  externalId: string;
  /** JSON text. */
  data: string;
  /** Size of the text in bytes, known without reading it. Absent if an earlier version has written it. */
  bytes?: number;
  /** Keys that the data refers to. */
  references: ResourceKey[];
  version: number;
  createdAt: Date;
  updatedAt: Date;
  /** Recent effects; an entry leaves only when its item's outcome is stored (invariant 2). */
  writes: WriteEntry[];
  /** Uncommitted (stored under its old name): the group with which this resource appears; no reader sees it before. */
  hidden?: string;
  /** Put by an attempt that took over from one that may still have a command under way. */
  fence?: Fence;
  /** The deletion mark (stored under its old name): the delete that is about to remove it; gone for readers once `group` is committed. */
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
