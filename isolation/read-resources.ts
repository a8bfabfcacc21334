import type { Filter, FindOptions } from 'mongodb';
import { type Scope, scopeKey } from '../domain/batch/scope.ts';
import { COUNT_LIMIT, type Total, totalOf } from '../domain/batch/total.ts';
import type { Resource, ResourceKey } from '../domain/write/resource.ts';
import type { Database } from '../store/mongodb/database.ts';
import { KEYS_AT_ONCE, keySlices } from '../store/mongodb/slices.ts';
import { NO_PLACEHOLDER, PLACEHOLDER, type ResourceDocument, resourcesIn, toResource } from '../store/resources.ts';
import { committedGroups, groupsIn } from './groups.ts';

/** What is stored under these identities, seen or not. */
export async function readResources(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<Map<ResourceKey, ResourceDocument>> {
  if (keys.length === 0) return new Map();
  const documents = await resourcesIn(database)
    .find({ _id: { $in: [...keys] }, hidden: NO_PLACEHOLDER })
    .toArray();
  return new Map(documents.map((document) => [document._id, document]));
}

/** The same for who is about to write there: placeholders too, as key -> fence. */
export async function readForWriting(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<{ stored: Map<ResourceKey, ResourceDocument>; fenced: Map<ResourceKey, string> }> {
  const stored = new Map<ResourceKey, ResourceDocument>();
  const fenced = new Map<ResourceKey, string>();
  if (keys.length === 0) return { stored, fenced };
  for await (const document of resourcesIn(database).find({ _id: { $in: [...keys] } })) {
    if (document.hidden === PLACEHOLDER) fenced.set(document._id, document.fence?.token ?? '');
    else stored.set(document._id, document);
  }
  return { stored, fenced };
}

/** Which of these identities a reader can see, with whether each is on its way out. */
export async function readTargets(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<Map<ResourceKey, MarkedDocument>> {
  const found = new Map<ResourceKey, MarkedDocument>();
  for (const some of keySlices(keys, KEYS_AT_ONCE)) {
    const documents = await resourcesIn(database)
      .find({ _id: { $in: some }, hidden: NO_PLACEHOLDER }, { projection: MARKS })
      .toArray();
    for (const document of documents) found.set(document._id, document);
  }
  return found;
}

/** Of these identities those whose resource has more than `bytes`, with how many. */
export async function heavyResources(
  database: Database,
  keys: Iterable<ResourceKey>,
  bytes: number,
): Promise<Map<ResourceKey, number>> {
  const heavy = new Map<ResourceKey, number>();
  for (const some of keySlices(keys, KEYS_AT_ONCE)) {
    const filter = { _id: { $in: some }, bytes: { $gt: bytes } };
    for await (const document of resourcesIn(database).find(filter, { projection: { bytes: 1 } }))
      heavy.set(document._id, document.bytes ?? 0);
  }
  return heavy;
}

/** Some of what is marked or not committed: few at any time, unless somebody has died. */
export async function markedResources(database: Database, limit: number): Promise<MarkedDocument[]> {
  const [uncommitted, marked] = await Promise.all([
    resourcesIn(database)
      .find({ hidden: { $exists: true, ...NO_PLACEHOLDER } }, { projection: MARKS, limit })
      .toArray(),
    resourcesIn(database)
      .find({ 'leaving.group': { $exists: true } }, { projection: MARKS, limit })
      .toArray(),
  ]);
  return [...uncommitted, ...marked.filter(({ hidden }) => hidden === undefined)];
}

/** What tells whether a reader sees a resource. */
export type MarkedDocument = Pick<ResourceDocument, '_id' | 'id' | 'hidden' | 'leaving' | 'updatedAt'>;

const MARKS = { id: 1, hidden: 1, leaving: 1, updatedAt: 1 } as const;

/**
 * The documents that readers see now: uncommitted ones only once committed, marked ones until committed. What has been stored
 * under a key since, in place of a placeholder or of another life, is not what was read: that document is left out.
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
  // A group is forgotten only after its members are unmarked: a mark that is still there was not committed.
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

const groupOf = (document: Pick<MarkedDocument, 'hidden' | 'leaving'>): string | undefined =>
  document.hidden ?? document.leaving?.group;

/** One resource of a tenant as readers see it. */
export async function findResource(database: Database, key: ResourceKey): Promise<Resource | null> {
  const document = await resourcesIn(database).findOne({ _id: key });
  if (document === null) return null;
  const [seen] = await visible(database, [document]);
  return seen ? toResource(seen) : null;
}

/** How many resources of a tenant and schema definition readers see. */
export function countResources(database: Database, scope: Scope, schemaDefinitionId: string): Promise<Total> {
  return countVisible(database, { schemaDefinitionId, scope: scopeKey(scope) });
}

/**
 * Counts what readers see. No index says what is absent, so that a count of resources without a mark would fetch every one of
 * them: all are counted, then those with a mark are read. Where others are at work that may be too many, never too few: what
 * was counted and has no mark by then is seen.
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

/** Most bytes of JSON text in one page, of several resources: an answer has 4 MiB (contract section 3). */
const PAGE_BYTES = 3 * 1024 * 1024;

/** A part of a list, in the order of the keys, of at least one resource. `next` is the key to go on after, null at the end. */
export interface ResourcePage {
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
 * Keys below a place (`platform/tenant`, or that and more), those after `after` alone. Whatever `after` is, the range does not
 * leave the place (invariant 6). JavaScript's order decides as MongoDB's would: places are ASCII.
 */
function below(place: string, after: ResourceKey | null): { $gt: string; $lt: string } {
  const start = `${place}/`;
  // '0' comes right after '/'
  return { $gt: after !== null && after > start ? after : start, $lt: `${place}0` };
}

/** What refers to a resource of a tenant, lowest key first. References stay inside a tenant, so these are of the same tenant. */
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

/** How many resources that readers see refer to one. */
export function countReferrers(database: Database, target: ResourceKey): Promise<Total> {
  return countVisible(database, { references: target });
}

/** Reads on until the page is full of resources that are to be seen, or heavy; one that is heavy alone is a page of its own. */
async function readPage(
  database: Database,
  filter: Filter<ResourceDocument>,
  limit: number,
  options: FindOptions = {},
): Promise<ResourcePage> {
  const resources: ResourceDocument[] = [];
  let bytes = 0;
  const cursor = resourcesIn(database)
    .find(filter, { ...options, batchSize: limit + 1 })
    .sort({ _id: 1 });
  try {
    for await (const document of cursor) {
      const [seen] = isMarked(document) ? await visible(database, [document]) : [document];
      if (seen === undefined) continue;
      bytes += Buffer.byteLength(seen.data) + BYTES_BESIDE_DATA;
      const isFull = resources.length === limit || (resources.length > 0 && bytes > PAGE_BYTES);
      if (isFull) return { resources, next: resources.at(-1)?._id ?? null };
      resources.push(seen);
    }
    return { resources, next: null };
  } finally {
    await cursor.close();
  }
}

/** What an answer tells of a resource beside its data: ids and dates. */
const BYTES_BESIDE_DATA = 2_048;

const isMarked = (document: Pick<MarkedDocument, 'hidden' | 'leaving'>): boolean =>
  document.hidden !== undefined || document.leaving !== undefined;

const DOCUMENTS_PER_CHUNK = 200;
const CHUNK_BYTES = 8 * 1024 * 1024;

/** Every stored resource of a schema definition, of all tenants, seen or not, some at a time. */
export async function* resourcesOfSchema(
  database: Database,
  schemaDefinitionId: string,
): AsyncGenerator<ResourceDocument[]> {
  let chunk: ResourceDocument[] = [];
  let bytes = 0;
  for await (const document of resourcesIn(database).find({ schemaDefinitionId }, { batchSize: DOCUMENTS_PER_CHUNK })) {
    chunk.push(document);
    bytes += document.data.length;
    if (chunk.length < DOCUMENTS_PER_CHUNK && bytes < CHUNK_BYTES) continue;
    yield chunk;
    chunk = [];
    bytes = 0;
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Resources of a schema definition that somebody can see, of all tenants. A definition goes where this is 0: nobody writes
 * meanwhile, so that it is never too few (invariant 3).
 */
export function countResourcesOfSchema(database: Database, schemaDefinitionId: string): Promise<Total> {
  return countVisible(database, { schemaDefinitionId });
}

/** Which of these exist and stay, and which somebody is creating or deleting right now. */
export async function checkTargets(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<{ present: ResourceKey[]; undecided: ResourceKey[] }> {
  const targets = [...(await readTargets(database, keys)).values()];
  const groups = [...new Set(targets.flatMap((target) => groupOf(target) ?? []))];
  const decided =
    groups.length === 0
      ? []
      : await groupsIn(database)
          .find({ _id: { $in: groups } })
          .toArray();
  const states = new Map(decided.map((group) => [group._id, group.state]));
  const present: ResourceKey[] = [];
  const undecided: ResourceKey[] = [];
  for (const target of targets) {
    const group = groupOf(target);
    const state = group === undefined ? undefined : states.get(group);
    if (group !== undefined && state === undefined) undecided.push(target._id);
    else if (group === undefined || (state === 'committed') === (target.hidden !== undefined)) present.push(target._id);
  }
  return { present, undecided };
}
