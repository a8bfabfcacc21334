import { type BatchOptions, type BatchStatus, type Operation, RUNNING_STATUSES, type RunningStatus, type TerminalStatus } from '../domain/batch.ts';
import type { Actions, Counts, ErrorCode } from '../domain/outcome.ts';
import { type Scope, scopeKey } from '../domain/scope.ts';
import type { Database } from './database.ts';
import type { PendingMember } from './dependencies.ts';
import { isDuplicateKey } from './errors.ts';

export interface BatchDocument {
  /** UUID version 7, so that ids are in order of creation. */
  _id: string;
  /** `platform/tenant`, escaped. */
  scope: string;
  platform: string;
  tenant: string;
  operation: Operation;
  options: BatchOptions;
  /** Absent where a batch is about no schema definition (`terminate`). */
  schemaDefinitionId?: string;
  schemaName?: string;
  total: number;
  /** Items in one page of bodies and of outcomes. */
  pageSize: number;
  /** Live only as far as activities have told; between them the workflow knows best. */
  status: BatchStatus;
  suspended: boolean;
  cancelRequested?: boolean;
  /** 1 for the first run, one more for each retry. */
  run: number;
  createdAt: Date;
  startedAt?: Date;
  completedAt?: Date;
  /** Pending items, of other batches too, that this batch is carrying out together. */
  claims?: PendingMember[];
  /** Cascaded deletions of earlier runs: no item shows them. */
  cascaded: number;
  /** The end result, stored when a run finished. */
  result?: BatchResult;
  /** Set when the batch is to be removed for good: it is not there for callers any more. */
  deletedAt?: Date;
}

export interface BatchResult {
  counts: Counts;
  actions: Actions;
  errorCodes: Partial<Record<ErrorCode, number>>;
}

export type NewBatch = Pick<
  BatchDocument,
  '_id' | 'operation' | 'options' | 'schemaDefinitionId' | 'schemaName' | 'total' | 'pageSize' | 'createdAt'
> & { scope: Scope };

/** The moment of acceptance: the pages of the batch are stored before (invariant 1). Safe to repeat. */
export async function insertBatch(database: Database, batch: NewBatch): Promise<BatchDocument> {
  const { platform, tenant } = batch.scope;
  const document: BatchDocument = {
    ...batch,
    scope: scopeKey(batch.scope),
    platform,
    tenant,
    status: 'queued',
    suspended: false,
    run: 1,
    cascaded: 0,
  };
  try {
    await database.batches.insertOne(document);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return document;
}

/** A batch of this tenant; another tenant's is not there (invariant 6), nor is one that is deleted. */
export async function findBatch(database: Database, scope: Scope, batchId: string): Promise<BatchDocument | null> {
  return database.batches.findOne({ _id: batchId, scope: scopeKey(scope), deletedAt: { $exists: false } });
}

/** A batch by its id alone, deleted ones too, for the workflow that carries it out. */
export async function readBatch(database: Database, batchId: string): Promise<BatchDocument | null> {
  return database.batches.findOne({ _id: batchId });
}

export async function readBatches(database: Database, batchIds: readonly string[]): Promise<BatchDocument[]> {
  return batchIds.length === 0 ? [] : database.batches.find({ _id: { $in: [...batchIds] } }).toArray();
}

const RUNNING = { $in: [...RUNNING_STATUSES] };

/** Stores how far a run is; a finished or another run stays as it is. Safe to repeat. */
export async function recordRunning(
  database: Database,
  batch: { readonly batchId: string; readonly run: number },
  state: { status: RunningStatus; suspended?: boolean },
): Promise<void> {
  await database.batches.updateOne({ _id: batch.batchId, run: batch.run, status: RUNNING }, { $set: state });
}

/** The first moment at which the batch was worked on. Safe to repeat: the first time stays. */
export async function recordStarted(database: Database, batchId: string): Promise<void> {
  await database.batches.updateOne({ _id: batchId, startedAt: { $exists: false } }, { $set: { startedAt: new Date() } });
}

/** Stores how a run ended. Safe to repeat: the first completion stays. */
export async function recordFinished(
  database: Database,
  batch: { readonly batchId: string; readonly run: number },
  status: TerminalStatus,
  result: BatchResult,
): Promise<void> {
  await database.batches.updateOne(
    { _id: batch.batchId, run: batch.run, status: RUNNING },
    {
      $set: { status, result, suspended: false, completedAt: new Date(), cascaded: result.actions.cascaded },
      $unset: { cancelRequested: '' },
    },
  );
}

/** Claims a finished batch for another run: of many callers one wins. @returns null where it is not as it was read. */
export async function claimRetry(database: Database, batch: BatchDocument): Promise<BatchDocument | null> {
  return database.batches.findOneAndUpdate(
    { _id: batch._id, run: batch.run, status: batch.status, deletedAt: { $exists: false } },
    { $set: { status: 'queued', run: batch.run + 1, suspended: false }, $unset: { completedAt: '', result: '' } },
    { returnDocument: 'after' },
  );
}

/** Of these batches, those that are over or gone: nothing of theirs is delivered again. */
export async function settledBatches(database: Database, batchIds: readonly string[]): Promise<Set<string>> {
  if (batchIds.length === 0) return new Set();
  const running = await database.batches
    .find({ _id: { $in: [...batchIds] }, status: RUNNING }, { projection: { _id: 1 } })
    .toArray();
  const alive = new Set(running.map((batch) => batch._id));
  return new Set(batchIds.filter((id) => !alive.has(id)));
}

/** Notes the pending items that a batch is about to claim; none when it is done with them. */
export async function recordClaims(database: Database, batchId: string, claims: readonly PendingMember[]): Promise<void> {
  await database.batches.updateOne({ _id: batchId }, claims.length > 0 ? { $set: { claims: [...claims] } } : { $unset: { claims: '' } });
}
