import type { Filter, FindOptions } from 'mongodb';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { COUNT_LIMIT, type Total, totalOf } from '../../domain/batch/total.ts';
import { exactJson } from '../../domain/json/exact.ts';
import { storedBytes } from '../../domain/json/stored.ts';
import type { JsonObject, Resource, ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { type ResourceDocument, readResource, readResources, resourcesIn, toResource } from '../../store/resources.ts';
import { isMarked, MARKS, visible } from './visibility.ts';

/** One resource of a tenant as readers see it. */
export async function findResource(database: Database, key: ResourceKey): Promise<Resource | null> {
  const document = await readResource(database, key);
  if (document === null) return null;
  const [seen] = await visible(database, [document]);
  return seen ? toResource(seen) : null;
}

/** Number of resources of a tenant and schema definition that readers see. */
export function countResources(database: Database, scope: Scope, schemaDefinitionId: string): Promise<Total> {
  return countVisible(database, { schemaDefinitionId, scope: scopeKey(scope) });
}

/**
 * Counts the resources that readers see. No index finds an absent field, so counting resources without a mark would read every one of
 * them: all are counted, then those with a mark are read. While others are at work the count may be too high, never too low: a resource that
 * was counted and has no mark by then is visible.
 */
async function countVisible(database: Database, filter: Filter<ResourceDocument>): Promise<Total> {
  const all = await resourcesIn(database).countDocuments(filter, { limit: 2 * COUNT_LIMIT });
  if (all === 0) return totalOf(0);
  const marked = await resourcesIn(database)
    .find({ ...filter, $or: MARKED }, { projection: MARKS, limit: COUNT_LIMIT })
    .toArray();
  return totalOf(all - (marked.length - (await visible(database, marked)).length));
}

/** Being written with others, or about to be deleted. */
const MARKED: Filter<ResourceDocument>[] = [{ hidden: { $exists: true } }, { 'leaving.group': { $exists: true } }];

/** Most bytes of JSON text in one page, of several resources: an answer has at most 4 MiB (`MAX_ANSWER_BYTES`). */
const PAGE_BYTES = 3 * 1024 * 1024;

/**
 * The resources of these identities that readers see, lowest key first, for an answer beside another resource.
 * @param beside the resource that the answer contains in any case: as many are read as fit beside it.
 */
export async function resourcesBeside(
  database: Database,
  beside: Resource,
  keys: readonly ResourceKey[],
): Promise<ResourceDocument[]> {
  const taken = jsonBytes(beside.data);
  if (keys.length === 0 || taken > PAGE_BYTES) return [];
  const page = await readPage(database, { _id: { $in: [...keys] } }, keys.length, {}, taken);
  return page.resources;
}

/** A part of a list, in the order of the keys, of at least one resource. `next` is the key after which to continue, null at the end. */
interface ResourcePage {
  readonly resources: ResourceDocument[];
  readonly next: ResourceKey | null;
}

/** A tenant's resources of a schema definition, lowest external id first: stable while data changes. */
export function resourcePage(
  database: Database,
  scope: Scope,
  schemaDefinitionId: string,
  after: ResourceKey | null,
  limit: number,
): Promise<ResourcePage> {
  const within = `${scopeKey(scope)}/${schemaDefinitionId}`;
  const filter = { _id: below(within, after), scope: scopeKey(scope), schemaDefinitionId };
  // Another index would find the same resources, and then have to sort all of them.
  return readPage(database, filter, limit, { hint: { _id: 1 } });
}

/**
 * Keys below a place (`platform/tenant`, or that and more), and only those after `after`. Whatever `after` is, the range does not
 * leave the place (invariant 6). JavaScript compares as MongoDB would, because places are ASCII.
 */
function below(place: string, after: ResourceKey | null): { $gt: string; $lt: string } {
  const start = `${place}/`;
  // '0' comes right after '/'
  return { $gt: after !== null && after > start ? after : start, $lt: `${place}0` };
}

/** The resources that refer to a resource of a tenant, lowest key first. References stay inside a tenant, so these are of the same tenant. */
export function referrerPage(
  database: Database,
  scope: Scope,
  target: ResourceKey,
  after: ResourceKey | null,
  limit: number,
): Promise<ResourcePage> {
  const filter = { references: target, _id: below(scopeKey(scope), after), scope: scopeKey(scope) };
  return readPage(database, filter, limit);
}

/** Number of resources that readers see and that refer to one. */
export function countReferrers(database: Database, target: ResourceKey): Promise<Total> {
  return countVisible(database, { references: target });
}

/** Reads until the page is full of visible resources, or large; a resource that is large alone is a page of its own. */
async function readPage(
  database: Database,
  filter: Filter<ResourceDocument>,
  limit: number,
  options: FindOptions = {},
  bytesBefore = 0,
): Promise<ResourcePage> {
  const resources: ResourceDocument[] = [];
  let bytes = bytesBefore;
  for await (const document of readResources(database, filter, {
    ...options,
    sort: { _id: 1 },
    batchSize: limit + 1,
  })) {
    const [seen] = isMarked(document) ? await visible(database, [document]) : [document];
    if (seen === undefined) continue;
    bytes += jsonBytes(seen.data) + BYTES_BESIDE_DATA;
    const isFull = resources.length === limit || (resources.length + bytesBefore > 0 && bytes > PAGE_BYTES);
    if (isFull) return { resources, next: resources.at(-1)?._id ?? null };
    resources.push(seen);
  }
  return { resources, next: null };
}

const jsonBytes = (data: JsonObject): number => Buffer.byteLength(exactJson(data));

/** The fields of an answer beside the data of a resource: ids and dates. */
const BYTES_BESIDE_DATA = 2_048;

/** Resources, and bytes of them, that are read at a time to be exported. */
const EXPORTED_AT_ONCE = 500;
const EXPORTED_BYTES_AT_ONCE = 1024 * 1024;
/** How long a reader may keep a cursor open without reading, in ms. */
const IDLE_READER_MS = 5_000;

/**
 * All resources of a tenant and schema definition that readers see, lowest external id first, some at a time; each is as it is when it
 * is read. A reader that is slow, or gone, holds nothing: its cursor is closed, and another one continues where it was.
 * @param idleMs how long a reader may keep a cursor open without reading.
 */
export async function* allResources(
  database: Database,
  scope: Scope,
  schemaDefinitionId: string,
  idleMs = IDLE_READER_MS,
): AsyncGenerator<ResourceDocument[]> {
  let after: ResourceKey | null = null;
  for (let isClosed = true; isClosed; ) {
    isClosed = false;
    const parts = partsAfter(database, scope, schemaDefinitionId, after);
    try {
      for (let next = await parts.next(); !next.done; next = await parts.next()) {
        const timer = setTimeout(() => {
          isClosed = true;
          // a server ends a cursor that it was not told of by itself
          parts.return(undefined).catch(() => undefined);
        }, idleMs);
        try {
          yield await visible(database, next.value);
        } finally {
          clearTimeout(timer);
        }
        after = next.value.at(-1)?._id ?? after;
      }
    } finally {
      await parts.return(undefined);
    }
  }
}

/** The resources after a key in the order of the keys, visible or not, with one cursor. */
async function* partsAfter(
  database: Database,
  scope: Scope,
  schemaDefinitionId: string,
  after: ResourceKey | null,
): AsyncGenerator<ResourceDocument[], undefined> {
  const within = `${scopeKey(scope)}/${schemaDefinitionId}`;
  const filter = { _id: below(within, after), scope: scopeKey(scope), schemaDefinitionId };
  const options = { hint: { _id: 1 }, sort: { _id: 1 }, batchSize: EXPORTED_AT_ONCE } as const;
  let part: ResourceDocument[] = [];
  let bytes = 0;
  for await (const document of readResources(database, filter, options)) {
    part.push(document);
    bytes += document.bytes ?? storedBytes(document.data);
    if (part.length < EXPORTED_AT_ONCE && bytes < EXPORTED_BYTES_AT_ONCE) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}

const DOCUMENTS_PER_CHUNK = 200;
const CHUNK_BYTES = 8 * 1024 * 1024;

/** Every stored resource of a schema definition, of all tenants, visible or not, some at a time. */
export async function* resourcesOfSchema(
  database: Database,
  schemaDefinitionId: string,
): AsyncGenerator<ResourceDocument[]> {
  let chunk: ResourceDocument[] = [];
  let bytes = 0;
  for await (const document of readResources(database, { schemaDefinitionId }, { batchSize: DOCUMENTS_PER_CHUNK })) {
    chunk.push(document);
    bytes += document.bytes ?? storedBytes(document.data);
    if (chunk.length < DOCUMENTS_PER_CHUNK && bytes < CHUNK_BYTES) continue;
    yield chunk;
    chunk = [];
    bytes = 0;
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Number of resources of a schema definition that readers see, of all tenants. A definition is deleted if this is 0: nothing writes
 * meanwhile, so it is never too low (invariant 3).
 */
export function countResourcesOfSchema(database: Database, schemaDefinitionId: string): Promise<Total> {
  return countVisible(database, { schemaDefinitionId });
}
