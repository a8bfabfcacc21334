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

/** Batches that one step of a selection looks at: none takes long, however few of them fit. */
const LOOKED_AT = 2_000;

/** Some batches of a selection: those that fit, and the last one that was looked at; null: there are no more. */
interface Selected {
  readonly ids: string[];
  readonly next: string | null;
}

/** One step of a selection of batches, in order from after `after` on. A step looks at a bounded number of them, and may find none. */
export async function selectBatches(
  database: Database,
  scopes: readonly Scope[],
  filter: BatchFilter,
  after: string | null,
): Promise<Selected> {
  const looked = await nextBatches(database, scopes, filter, afterIn({ after, newestFirst: false }));
  const fitting = new Set((await fittingBatches(database, scopes, filter, looked)).map(({ _id }) => _id));
  const next = looked.length < LOOKED_AT ? null : (looked.at(-1) ?? null);
  return { ids: looked.filter((id) => fitting.has(id)), next };
}

/** Ids of batches in order, as one index has them: of one part of the filter. */
async function nextBatches(
  database: Database,
  scopes: readonly Scope[],
  filter: BatchFilter,
  range: IdRange,
): Promise<string[]> {
  const within = { ...createdIn(filter), ...range };
  if (filter.externalId !== undefined) {
    const ids: string[] = [];
    for await (const some of batchesWithItem(database, scopes, filter.externalId, within, false)) {
      ids.push(...some);
      if (ids.length >= LOOKED_AT) break;
    }
    return ids.slice(0, LOOKED_AT);
  }
  const _id = Object.keys(within).length > 0 ? { _id: within } : {};
  const found = await batchesIn(database)
    .find({ scope: { $in: scopes.map(scopeKey) }, ...mostSelective(filter), ..._id } as Filter<BatchDocument>, {
      projection: { _id: 1 },
    })
    .sort({ _id: 1 })
    .limit(LOOKED_AT)
    .toArray();
  return found.map((batch) => batch._id);
}

/** The part of a filter that few batches fulfil, in most cases: an index has them in order. */
function mostSelective({ importId, label, createdBy, status, schemaDefinitionId, operation }: BatchFilter) {
  if (importId !== undefined) return { importId };
  if (label !== undefined) return { label };
  if (createdBy !== undefined) return { createdBy };
  if (status !== undefined) return { status: oneOf(status) };
  if (schemaDefinitionId !== undefined) return { schemaDefinitionId: oneOf(schemaDefinitionId) };
  return operation === undefined ? {} : { operation: oneOf(operation) };
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

/** How many batches fit a filter: exact up to `most`, beyond it `most + 1`. Counted step by step. */
export async function countMatching(
  database: Database,
  scopes: readonly Scope[],
  filter: BatchFilter,
  most: number,
): Promise<number> {
  let count = 0;
  for (let after: string | null = null; ; ) {
    const { ids, next }: Selected = await selectBatches(database, scopes, filter, after);
    count += ids.length;
    if (next === null || count > most) return Math.min(count, most + 1);
    after = next;
  }
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
    const fitting = new Map((await fittingBatches(database, scopes, filter, ids)).map((batch) => [batch._id, batch]));
    found.push(...ids.flatMap((id) => fitting.get(id) ?? []));
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
