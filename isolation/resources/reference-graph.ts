import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { NO_PLACEHOLDER, type ResourceDocument, resourcesIn } from '../../store/resources.ts';
import { visible } from './visibility.ts';

/** The fields of a resource that concern references. */
export type Vertex = Pick<ResourceDocument, '_id' | 'id' | 'references' | 'hidden' | 'leaving' | 'updatedAt'>;

const VERTEX = { id: 1, references: 1, hidden: 1, leaving: 1, updatedAt: 1 } as const;

/** Documents of a scan that are fetched at a time. */
const SCAN_BATCH = 2000;

/** The resources of these that readers see, with their references. */
export async function visibleVertices(database: Database, keys: readonly ResourceKey[]): Promise<Vertex[]> {
  const stored = await resourcesIn(database)
    .find({ _id: { $in: [...keys] }, hidden: NO_PLACEHOLDER }, { projection: VERTEX })
    .toArray();
  return visible(database, stored);
}

/**
 * Pages of the resources that readers see and that refer to any of these identities.
 * @param keys at most `KEYS_PER_QUERY`.
 */
export async function* visibleReferrers(database: Database, keys: readonly ResourceKey[]): AsyncGenerator<Vertex[]> {
  for await (const page of storedReferrers(database, keys)) yield visible(database, page);
}

/**
 * Pages of the resources, visible or not, that refer to any of these identities: any number of them may refer to one.
 * @param keys at most `KEYS_PER_QUERY`.
 */
export async function* storedReferrers(database: Database, keys: readonly ResourceKey[]): AsyncGenerator<Vertex[]> {
  if (keys.length === 0) return;
  const cursor = resourcesIn(database).find(
    { references: { $in: [...keys] } },
    { projection: VERTEX, batchSize: SCAN_BATCH },
  );
  yield* pagesOf(cursor, SCAN_BATCH, weightOf);
}

/** Pages of all resources of a tenant that readers see. */
export async function* scanVertices(database: Database, scope: Scope): AsyncGenerator<Vertex[]> {
  const cursor = resourcesIn(database).find(
    { _id: { $gt: `${scopeKey(scope)}/`, $lt: `${scopeKey(scope)}0` } },
    { projection: VERTEX, batchSize: SCAN_BATCH },
  );
  for await (const page of pagesOf(cursor, SCAN_BATCH, weightOf)) yield visible(database, page);
}

/**
 * Pages of the external ids of all resources of a tenant and schema definition that readers see, in any order. Every page but
 * the last has exactly `pageSize`: item pages are addressed by it.
 */
export async function* allExternalIds(
  database: Database,
  scope: Scope,
  schemaDefinitionId: string,
  pageSize: number,
): AsyncGenerator<string[]> {
  const prefix = `${scopeKey(scope)}/${schemaDefinitionId}`;
  const cursor = resourcesIn(database).find(
    { _id: { $gt: `${prefix}/`, $lt: `${prefix}0` } },
    { projection: { id: 1, hidden: 1, leaving: 1 }, batchSize: pageSize },
  );
  let ids: string[] = [];
  for await (const page of pagesOf(cursor, pageSize)) {
    for (const { _id } of await visible(database, page)) ids.push(_id.slice(prefix.length + 1));
    if (ids.length < pageSize) continue;
    yield ids.slice(0, pageSize);
    ids = ids.slice(pageSize);
  }
  if (ids.length > 0) yield ids;
}

/** A page of resources with many references contains fewer resources. */
const weightOf = ({ references }: Vertex): number => 1 + references.length;

async function* pagesOf<T>(all: AsyncIterable<T>, size: number, weigh = (_: T) => 1): AsyncGenerator<T[]> {
  let page: T[] = [];
  let weight = 0;
  for await (const one of all) {
    page.push(one);
    weight += weigh(one);
    if (weight < size) continue;
    yield page;
    page = [];
    weight = 0;
  }
  if (page.length > 0) yield page;
}
