import type { Filter } from 'mongodb';
import type { BatchStatus, Operation } from '../../domain/batch/batch.ts';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { COUNT_LIMIT, type Total, totalOf } from '../../domain/batch/total.ts';
import { batchesWithItem } from '../items/item-keys.ts';
import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn } from './batches.ts';

/** What batches are asked for: those that fulfil all that is given. An index begins with each of these fields. */
export interface BatchFilter {
  readonly operation?: readonly Operation[];
  readonly status?: readonly BatchStatus[];
  readonly schemaDefinitionId?: readonly string[];
  readonly label?: string;
  readonly createdBy?: string;
  readonly importId?: string;
  /** In ms since 1970, both excluded. */
  readonly createdAfter?: number;
  readonly createdBefore?: number;
  /** They have an item for it. */
  readonly externalId?: string;
}

/** A range of ids of batches, which is one of times: an id begins with the time at which it was made. */
interface IdRange {
  $gt?: string;
  $gte?: string;
  $lt?: string;
}

interface BatchPage {
  /** The last id of the page before. */
  readonly after: string | null;
  readonly limit: number;
  readonly newestFirst: boolean;
}

interface ListedBatches {
  readonly batches: BatchDocument[];
  readonly total: Total;
  readonly next: string | null;
}

/** One page of the batches of these scopes in order of creation. */
export async function listBatches(
  database: Database,
  scopes: readonly Scope[],
  filter: BatchFilter,
  page: BatchPage,
): Promise<ListedBatches> {
  if (filter.externalId !== undefined) return listWithItem(database, scopes, filter, filter.externalId, page);
  const [found, counted] = await Promise.all([
    batchesIn(database)
      .find(queryOf(scopes, filter, afterIn(page)))
      .sort({ _id: page.newestFirst ? -1 : 1 })
      .limit(page.limit + 1)
      .toArray(),
    batchesIn(database).countDocuments(queryOf(scopes, filter), { limit: COUNT_LIMIT }),
  ]);
  return pageOf(found, totalOf(counted), page);
}

const pageOf = (found: readonly BatchDocument[], total: Total, { limit }: BatchPage): ListedBatches => {
  const batches = found.slice(0, limit);
  return { batches, total, next: found.length > limit ? (batches.at(-1)?._id ?? null) : null };
};

/** The condition on the batches themselves: `externalId` is one on their items. */
function queryOf(scopes: readonly Scope[], filter: BatchFilter, range: IdRange = {}): Filter<BatchDocument> {
  const { operation, status, schemaDefinitionId, label, createdBy, importId } = filter;
  const ids = { ...createdIn(filter), ...range };
  return {
    scope: { $in: scopes.map(scopeKey) },
    deletedAt: { $exists: false },
    ...(operation && { operation: oneOf(operation) }),
    ...(status && { status: oneOf(status) }),
    ...(schemaDefinitionId && { schemaDefinitionId: oneOf(schemaDefinitionId) }),
    ...(label !== undefined && { label }),
    ...(createdBy !== undefined && { createdBy }),
    ...(importId !== undefined && { importId }),
    ...(Object.keys(ids).length > 0 && { _id: ids }),
  } as Filter<BatchDocument>; // the union of batches by operation is too narrow for a filter on several of them
}

const oneOf = <T>(values: readonly T[]) => (values.length === 1 ? values[0] : { $in: values });

/** The largest time in an id of version 7: 48 bits. */
const LAST_MS = 2 ** 48 - 1;

/** The beginning of the ids that are made from this time on. */
function idsFrom(ms: number): string {
  const hex = Math.min(Math.max(0, Math.ceil(ms)), LAST_MS)
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

function createdIn({ createdAfter, createdBefore }: Pick<BatchFilter, 'createdAfter' | 'createdBefore'>): IdRange {
  return {
    ...(createdAfter !== undefined && { $gte: idsFrom(createdAfter + 1) }),
    ...(createdBefore !== undefined && { $lt: idsFrom(createdBefore) }),
  };
}

/** Ids of batches that fit a filter, the first of them in order, after `after`. */
export async function matchingIds(
  database: Database,
  scopes: readonly Scope[],
  filter: BatchFilter,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const range = afterIn({ after, newestFirst: false });
  if (filter.externalId === undefined) {
    const found = await batchesIn(database)
      .find(queryOf(scopes, filter, range), { projection: { _id: 1 } })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
    return found.map(({ _id }) => _id);
  }
  const ids: string[] = [];
  const within = { ...createdIn(filter), ...range };
  for await (const some of batchesWithItem(database, scopes, filter.externalId, within, false)) {
    const fitting = new Set((await fittingBatches(database, scopes, filter, some)).map(({ _id }) => _id));
    ids.push(...some.filter((id) => fitting.has(id)));
    if (ids.length >= limit) return ids.slice(0, limit);
  }
  return ids;
}

/** Of these batches, which have an item for `externalId` if the filter names one, those that fit it now. */
export async function fittingBatches(
  database: Database,
  scopes: readonly Scope[],
  filter: BatchFilter,
  ids: readonly string[],
): Promise<BatchDocument[]> {
  return batchesIn(database)
    .find({ ...queryOf(scopes, filter), _id: { $in: [...ids] } })
    .toArray();
}

/** How many batches fit a filter. */
export async function countMatching(
  database: Database,
  scopes: readonly Scope[],
  filter: BatchFilter,
): Promise<number> {
  if (filter.externalId === undefined) return batchesIn(database).countDocuments(queryOf(scopes, filter));
  let count = 0;
  for await (const ids of batchesWithItem(database, scopes, filter.externalId, createdIn(filter), false))
    count += await batchesIn(database).countDocuments({ ...queryOf(scopes, filter), _id: { $in: ids } });
  return count;
}

/** A place is one of the list that the filter gives: it is within the range of the filter, and takes its place. */
function afterIn({ after, newestFirst }: Pick<BatchPage, 'after' | 'newestFirst'>): IdRange {
  if (after === null) return {};
  return newestFirst ? { $lt: after } : { $gt: after };
}

/** Batches with an item that are looked at for one page, and for its total. */
const MOST_CANDIDATES = COUNT_LIMIT;

/**
 * Batches that have an item for an external id are found by the pages of their items, in the same order. A page of the list ends early if very many of them
 * do not fulfil the rest of the filter.
 */
async function listWithItem(
  database: Database,
  scopes: readonly Scope[],
  filter: BatchFilter,
  externalId: string,
  page: BatchPage,
): Promise<ListedBatches> {
  const candidates = (range: IdRange) =>
    batchesWithItem(database, scopes, externalId, { ...createdIn(filter), ...range }, page.newestFirst);
  const found: BatchDocument[] = [];
  let looked = 0;
  let reached: string | null = null;
  for await (const ids of candidates(afterIn(page))) {
    const query = queryOf(scopes, filter);
    const some = await batchesIn(database)
      .find({ ...query, _id: { $in: ids } })
      .sort({ _id: page.newestFirst ? -1 : 1 })
      .toArray();
    found.push(...some);
    looked += ids.length;
    reached = ids.at(-1) ?? null;
    if (found.length > page.limit) break;
    if (looked >= MOST_CANDIDATES)
      return { batches: found, total: await countWithItem(database, scopes, filter, candidates({})), next: reached };
  }
  return pageOf(found, await countWithItem(database, scopes, filter, candidates({})), page);
}

async function countWithItem(
  database: Database,
  scopes: readonly Scope[],
  filter: BatchFilter,
  candidates: AsyncIterable<readonly string[]>,
): Promise<Total> {
  let looked = 0;
  let count = 0;
  for await (const ids of candidates) {
    count += await batchesIn(database).countDocuments({ ...queryOf(scopes, filter), _id: { $in: [...ids] } });
    looked += ids.length;
    if (looked >= MOST_CANDIDATES) return { count: Math.min(count, COUNT_LIMIT - 1), isCapped: true };
  }
  return totalOf(count);
}
