import type { BatchOptions, BatchStatus, Operation, TerminalStatus } from '../domain/batch.ts';
import type { Actions, Counts, ErrorCode } from '../domain/outcome.ts';
import { type Scope, scopeKey } from '../domain/scope.ts';
import type { Database } from './database.ts';
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
  schemaDefinitionId: string;
  schemaName: string;
  total: number;
  pageSize: number;
  /** False while items are still being written: such a batch does not exist for callers. */
  accepted: boolean;
  /** Live only as far as activities have told; between them the workflow knows best. */
  status: BatchStatus;
  /** 1 for the first run, one more for each retry. */
  run: number;
  createdAt: Date;
  startedAt?: Date;
  completedAt?: Date;
  /** The end result, stored when the run finished. */
  result?: BatchResult;
}

export interface BatchResult {
  counts: Counts;
  actions: Actions;
  errorCodes: Partial<Record<ErrorCode, number>>;
}

export type NewBatch = Omit<BatchDocument, 'scope' | 'platform' | 'tenant' | 'accepted' | 'status' | 'run'> & {
  scope: Scope;
};

/** First step of accepting: the insert takes the id. Safe to repeat. */
export async function insertBatch(database: Database, batch: NewBatch): Promise<void> {
  const { platform, tenant } = batch.scope;
  const document: BatchDocument = {
    ...batch,
    scope: scopeKey(batch.scope),
    platform,
    tenant,
    accepted: false,
    status: 'queued',
    run: 1,
  };
  try {
    await database.batches.insertOne(document);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

/** Last step of accepting: from here on the batch exists and every item of it is durable (invariant 1). */
export async function markAccepted(database: Database, batchId: string): Promise<void> {
  await database.batches.updateOne({ _id: batchId }, { $set: { accepted: true } });
}

/** A batch of this tenant; another tenant's is not there (invariant 6). */
export async function findBatch(database: Database, scope: Scope, batchId: string): Promise<BatchDocument | null> {
  return database.batches.findOne({ _id: batchId, scope: scopeKey(scope), accepted: true });
}

/** A batch by its id alone, for the workflow that carries it out. */
export async function readBatch(database: Database, batchId: string): Promise<BatchDocument | null> {
  return database.batches.findOne({ _id: batchId });
}

export async function readBatches(database: Database, batchIds: readonly string[]): Promise<BatchDocument[]> {
  return database.batches.find({ _id: { $in: [...batchIds] } }).toArray();
}

/** Running batch -> processing or waiting; a finished one stays as it is. */
export async function recordRunning(
  database: Database,
  batchId: string,
  status: Exclude<BatchStatus, TerminalStatus>,
): Promise<void> {
  await database.batches.updateOne(
    { _id: batchId, status: { $in: ['queued', 'processing', 'waiting'] } },
    { $set: { status } },
  );
  await database.batches.updateOne(
    { _id: batchId, startedAt: { $exists: false } },
    { $set: { startedAt: new Date() } },
  );
}

/** Stores how the run ended. Safe to repeat: the first completion time stays. */
export async function recordFinished(
  database: Database,
  batchId: string,
  status: TerminalStatus,
  result: BatchResult,
): Promise<void> {
  await database.batches.updateOne(
    { _id: batchId, status: { $in: ['queued', 'processing', 'waiting'] } },
    { $set: { status, result, completedAt: new Date() } },
  );
}

/** Of these batches, those that are over or gone: nothing of theirs is delivered again. */
export async function settledBatches(database: Database, batchIds: readonly string[]): Promise<Set<string>> {
  if (batchIds.length === 0) return new Set();
  const running = await database.batches
    .find({ _id: { $in: [...batchIds] }, status: { $in: ['queued', 'processing', 'waiting'] } }, { projection: { _id: 1 } })
    .toArray();
  const alive = new Set(running.map((batch) => batch._id));
  return new Set(batchIds.filter((id) => !alive.has(id)));
}
