import type { Collection, Document, Filter, FindCursor, FindOptions } from 'mongodb';
import type { ItemAction } from '../domain/batch/outcome.ts';
import { parseJson } from '../domain/json/parse.ts';
import type { RestoredVersion } from '../domain/undo/undo-entry.ts';
import type { JsonObject, Resource, ResourceKey } from '../domain/write/resource.ts';
import type { Database } from './mongodb/database.ts';
import { readDocument } from './mongodb/read-document.ts';

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

/**
 * A stored resource. `_id` is its identity, so the insert is the lock; `version` within one life (`id`) guards each update. The names of
 * its fields are read by users of the database (docs/operations.md): they stay.
 */
export interface ResourceDocument {
  _id: ResourceKey;
  /** Public id, new for each life: a resource that was deleted and uploaded again has another one. */
  id: string;
  scope: string;
  schemaDefinitionId: string;
  /** Name of the schema definition. Absent if an earlier version has written the resource. */
  schemaName?: string;
  externalId: string;
  /** Whole only if it was read by `readResources` or `readResource`: its names are stored escaped (`stored.ts`). */
  data: JsonObject;
  /** Whether `data` is stored as JSON text, as earlier versions have stored it. Not stored. */
  isText?: true;
  /** Size of the stored data in bytes, known without reading it. Absent if an earlier version has written it. */
  bytes?: number;
  /** Keys that the data refers to. */
  references: ResourceKey[];
  version: number;
  /** Which earlier version an undo has taken it back to. */
  restored?: RestoredVersion;
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

/** Reads resources with their data, and placeholders among them if the filter lets them pass. */
export async function* readResources(
  database: Database,
  filter: Filter<ResourceDocument>,
  options: FindOptions = {},
): AsyncGenerator<ResourceDocument> {
  const cursor = resourcesIn(database).find(filter, { ...options, raw: true });
  for await (const bytes of cursor as unknown as FindCursor<Uint8Array>) yield resourceIn(bytes);
}

/** The stored resource of an identity, visible or not. */
export async function readResource(database: Database, key: ResourceKey): Promise<ResourceDocument | null> {
  const bytes = await resourcesIn(database).findOne({ _id: key }, { raw: true });
  return bytes === null ? null : resourceIn(bytes as unknown as Uint8Array);
}

/** A resource as it is on the wire. */
function resourceIn(bytes: Uint8Array): ResourceDocument {
  const document = readDocument(bytes) as Document;
  if (typeof document.data === 'string') {
    document.data = parseJson(document.data);
    document.isText = true;
  }
  return document as ResourceDocument;
}

export interface WriteEntry {
  batchId: string;
  index: number;
  version: number;
  action: ItemAction;
}

export function toResource(document: ResourceDocument): Resource {
  const last = document.writes.findLast(({ action }) => action !== 'unchanged');
  return {
    id: document.id,
    schemaDefinitionId: document.schemaDefinitionId,
    resourceExternalId: document.externalId,
    data: document.data,
    versionNumber: document.version,
    createdAt: document.createdAt,
    updatedAt: document.updatedAt,
    ...(last && { lastWrite: { batchId: last.batchId, index: last.index } }),
  };
}

export const NO_PLACEHOLDER = { $ne: PLACEHOLDER };
