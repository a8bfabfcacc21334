import type { Filter } from 'mongodb';
import { type BatchStatus, RUNNING_STATUSES, type Terminate } from '../../domain/batch/batch.ts';
import { NAMESPACE_SCOPE, type Scope, scopeKey } from '../../domain/batch/scope.ts';
import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn, type StoredBatch } from './batches.ts';

/** A termination. */
export type Termination = Terminate & StoredBatch;

export function isTermination(batch: BatchDocument): batch is Termination {
  return batch.operation === 'terminate';
}

/** The filters of the Camunda façade for batches. */
export interface TerminationFilter {
  readonly batchId?: string;
  readonly suspended?: boolean;
  /** Runtime batches only: those that run, and those with failed jobs that nobody has handled yet. */
  readonly isLive?: boolean;
  /** Whether items have failed, though others may still run. */
  readonly hasFailures?: boolean;
  readonly startedBefore?: Date;
  readonly startedAfter?: Date;
  /** Of one of these tenants; a batch that acts on the whole namespace belongs to none. */
  readonly tenantIn?: readonly string[];
  readonly isWithoutTenant?: true;
}

export interface Slice {
  readonly sortBy: 'id' | 'startTime' | 'endTime' | 'tenantId';
  readonly descending: boolean;
  readonly first: number;
  /** null: to the end. */
  readonly max: number | null;
}

/** Ids are in order of creation, and all batches of a scope have one tenant: three sort orders are the same. */
const SORT_FIELDS = { id: '_id', startTime: '_id', endTime: 'completedAt', tenantId: '_id' } as const;

/** Fields that no list shows, and that may be large. */
const NOT_LISTED = { errorDetails: 0, executions: 0, claimOwners: 0, claims: 0 } as const;
/** Batches that are read at a time. */
const BATCHES_AT_ONCE = 100;

/** A slice of a tenant's terminations, read as it is consumed. */
export async function* listTerminations(
  database: Database,
  scope: Scope,
  filter: TerminationFilter,
  slice: Slice,
): AsyncGenerator<Termination, void> {
  if (slice.max === 0) return;
  const direction = slice.descending ? -1 : 1;
  const found = batchesIn(database)
    .find(queryOf(scope, filter), { projection: NOT_LISTED, batchSize: BATCHES_AT_ONCE })
    .sort({ [SORT_FIELDS[slice.sortBy]]: direction, _id: direction })
    .skip(slice.first)
    .limit(slice.max ?? 0);
  for await (const batch of found) if (isTermination(batch)) yield batch;
}

export async function countTerminations(database: Database, scope: Scope, filter: TerminationFilter): Promise<number> {
  return batchesIn(database).countDocuments(queryOf(scope, filter));
}

function queryOf(scope: Scope, filter: TerminationFilter): Filter<BatchDocument> {
  const { batchId, suspended, isLive, hasFailures, startedBefore, startedAfter, tenantIn, isWithoutTenant } = filter;
  const since = { ...(startedBefore && { $lt: startedBefore }), ...(startedAfter && { $gt: startedAfter }) };
  const some = [...(isLive === true ? [{ $or: LIVE }] : []), ...(hasFailures === true ? [{ $or: FAILURES }] : [])];
  const none = [...(isLive === false ? LIVE : []), ...(hasFailures === false ? FAILURES : [])];
  return {
    scope: scopeKey(scope),
    operation: 'terminate',
    deletedAt: { $exists: false },
    ...(batchId !== undefined && { _id: batchId }),
    ...(suspended !== undefined && { suspended }),
    ...((startedBefore || startedAfter) && { createdAt: since }),
    ...(tenantIn !== undefined && { tenant: { $in: tenantIn.filter((tenant) => tenant !== NAMESPACE_SCOPE.tenant) } }),
    ...(isWithoutTenant && { 'options.reach': 'namespace' }),
    ...(some.length > 0 && { $and: some }),
    ...(none.length > 0 && { $nor: none }),
  };
}

const UNSUCCESSFUL: BatchStatus[] = ['partial_success', 'failed'];

/** A batch that a caller has cancelled is over for the façade, although running work may still be ending. */
const LIVE: Filter<BatchDocument>[] = [
  { status: { $in: [...RUNNING_STATUSES] }, cancelRequested: { $exists: false } },
  { status: { $in: UNSUCCESSFUL }, dismissedAt: { $exists: false } },
];

const FAILURES: Filter<BatchDocument>[] = [
  { status: { $in: UNSUCCESSFUL } },
  { status: { $in: [...RUNNING_STATUSES] }, hasFailedItems: true },
];

/** The same condition for one batch. */
export function isLive({ status, cancelRequested, dismissedAt }: BatchDocument): boolean {
  if (UNSUCCESSFUL.includes(status)) return dismissedAt === undefined;
  return RUNNING_STATUSES.some((running) => running === status) && cancelRequested !== true;
}
