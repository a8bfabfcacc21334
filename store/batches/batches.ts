import type { Collection } from 'mongodb';
import {
  type Batch,
  type BatchResult,
  type BatchStatus,
  type Delete,
  type ResourceBatch,
  RUNNING_STATUSES,
  type Undo,
  type WriteBatch,
} from '../../domain/batch/batch.ts';
import type { ErrorDetails } from '../../domain/batch/error-details.ts';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import type { JobCounts } from '../../domain/executions/job-counts.ts';
import type { ImportReport } from '../../domain/imports/import.ts';
import type { WithEvents } from '../../domain/webhooks/noted-event.ts';
import type { KeyList } from '../items/key-lists.ts';
import type { PendingMember } from '../items/pending-documents.ts';
import type { Database } from '../mongodb/database.ts';
import { isDuplicateKey } from '../mongodb/errors.ts';
import { findWithRetries, isRecentId } from '../mongodb/recent-documents.ts';

/**
 * The execution of a batch's workflow that works on a run. There may be two of them for a moment: the workflow was reset, or started
 * anew after Temporal had lost its database, and activities of the earlier execution still run.
 */
export interface WorkingExecution {
  /** Temporal's id of it. */
  runId: string;
  /** The run of the batch. */
  run: number;
  /**
   * When it took over, in ms by Temporal's clock: later than any execution before it. The first execution of a run took over from
   * none, and has the smallest number that is later than that of the run before.
   */
  since: number;
  /** There was another one of the same run: its commands may still be under way. */
  follows?: true;
}

/** `since` of the first execution of a batch. */
export const FIRST_EXECUTION = 0;

/** The stored fields that every batch has, beside those of its operation. */
export interface StoredBatch extends WithEvents {
  /** UUID version 7, so that ids are in order of creation. */
  _id: string;
  /** `platform/tenant`, escaped. */
  scope: string;
  platform: string;
  tenant: string;
  total: number;
  /** Items in one page of bodies and of outcomes. */
  pageSize: number;
  /** The state as activities have stored it last; in between the workflow has a later one. */
  status: BatchStatus;
  suspended: boolean;
  cancelRequested?: boolean;
  /** The latest control request (suspend, resume or cancel), and whether it is known to be delivered to the workflow. */
  asked?: { token: string; suspended: boolean; told: boolean };
  /** 1 for the first run, one more for each retry. */
  run: number;
  /** The start of this run's workflow is not confirmed: recovery starts it from `startDue` on. All three go when it is. */
  unstarted?: true;
  startDue?: Date;
  /** How often recovery has failed to start it. */
  startFailures?: number;
  createdAt: Date;
  startedAt?: Date;
  completedAt?: Date;
  /** Temporal's run ids of the executions that have run this batch: they are removed with it. */
  executions?: string[];
  /** The execution that works on it now, or did last. Absent: an execution of an earlier version does, or none yet. */
  execution?: WorkingExecution;
  /** Batches, this one included, whose pending items it applies together: they are woken when that has ended. */
  claimOwners?: string[];
  /** Written by the version before this one: the items themselves. */
  claims?: PendingMember[];
  /** Cascaded deletions of earlier runs: no item shows them. */
  cascaded: number;
  /** The end result, stored when a run finished. */
  result?: BatchResult;
  /** Beside the result: the errors of the first items. */
  errorDetails?: ErrorDetails;
  /** Terminations: activities planned so far, and when a finished batch with failures was put aside. */
  jobsCreated?: number;
  dismissedAt?: Date;
  /** Terminations: the counts of their jobs. */
  jobs?: StoredJobs;
  /** Terminations: items of this run have failed, while it may still continue. */
  hasFailedItems?: true;
  /** See `AboutBatch`; `priority` is absent where the batch asks for none, and in a batch of an import (`importPriority`). */
  label?: string;
  priority?: number;
  isForAll?: true;
  startAt?: Date;
  createdBy?: string;
  /** The import that it is a part of, and its number there, from 1. */
  importId?: string;
  importNumber?: number;
  importPriority?: number;
  /** Its items wait as long as their import may create what they miss. */
  waitsForImport?: true;
  /** Its items are checked, and nothing is written to resources. */
  validateOnly?: true;
  /** Its import has suspended it: resuming the import resumes it. */
  suspendedByImport?: true;
  /** The latest state that it has reported to its import while it ran. */
  report?: ImportReport;
  /** The list of the pending items of cycles over batches of its import, which this batch is to apply. */
  cycle?: KeyList;
  /** The bulk operation that has changed it last. */
  bulk?: string;
  /** The latest run whose waiting was noted as an event. */
  waitingNoted?: number;
  /** The batch that undoes it. */
  undoneBy?: string;
  /** Who has asked for that: the `sub` of the token. */
  undoAskedBy?: string;
  /** The insert of that batch is not known: recovery inserts it. */
  undoUnaccepted?: true;
  /** Set when the batch is to be removed for good: for callers it does not exist any more. */
  deletedAt?: Date;
}

export type BatchDocument = Batch & StoredBatch;
/** A batch whose items are bodies, or one that deletes resources. */
export type WriteBatchDocument = WriteBatch & StoredBatch;
export type DeleteBatchDocument = Delete & StoredBatch;
export type UndoBatchDocument = Undo & StoredBatch;
/** A batch whose items are written as resources. */
export type WriterDocument = WriteBatchDocument | UndoBatchDocument;

/** The collection `batches`. */
export const batchesIn = (database: Database): Collection<BatchDocument> => database.collection('batches');

/**
 * Counts of the jobs of a termination, on the batch: lists read them, and no outcomes. Jobs that are planned
 * now are counted by block, each counted from its outcomes: in a run these numbers only grow, so that `$max` counts no job
 * twice, however often and in whatever order activities note them (invariant 2). The numbers of a seed are added up when the next one
 * is planned.
 */
export interface StoredJobs {
  /** The run that these counts belong to. */
  run: number;
  /** Index of the first item of the seed that is under way; absent once the run has ended. */
  seed?: number;
  /** Jobs of all other seeds, or of all once the run has ended. */
  completed: number;
  failed: number;
  /** The jobs of the seed, by number of their block. */
  blocks?: Record<string, JobCounts>;
}

/** Time in which the process that accepts a batch starts its workflow; after that recovery does, in ms. */
const START_GRACE_MS = 5_000;

/** Fields that mark a run as unstarted until its start is confirmed, set in the write that makes the run (invariant 1). */
export const toBeStarted = (): Required<Pick<BatchDocument, 'unstarted' | 'startDue'>> => ({
  unstarted: true,
  startDue: new Date(Date.now() + START_GRACE_MS),
});

type AsAccepted = Pick<
  StoredBatch,
  | '_id'
  | 'total'
  | 'pageSize'
  | 'createdAt'
  | 'label'
  | 'priority'
  | 'isForAll'
  | 'startAt'
  | 'createdBy'
  | 'importId'
  | 'importNumber'
  | 'importPriority'
  | 'waitsForImport'
  | 'validateOnly'
> & { scope: Scope };
export type NewBatch = Batch & AsAccepted;
export type NewResourceBatch = ResourceBatch & AsAccepted;

/** A batch as it is accepted. */
export function toBatchDocument(batch: NewBatch): BatchDocument {
  const { platform, tenant } = batch.scope;
  return {
    ...batch,
    scope: scopeKey(batch.scope),
    platform,
    tenant,
    status: 'queued',
    suspended: false,
    run: 1,
    ...toBeStarted(),
    cascaded: 0,
  };
}

/** The moment of acceptance: the pages of the batch are stored before (invariant 1). Safe to repeat. */
export async function insertBatch(database: Database, batch: NewBatch): Promise<BatchDocument> {
  const document = toBatchDocument(batch);
  try {
    await batchesIn(database).insertOne(document);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return document;
}

/** A batch of this tenant, or of these scopes; one of another tenant is not found (invariant 6), nor is a deleted one. */
export async function findBatch(
  database: Database,
  scope: Scope | readonly Scope[],
  batchId: string,
): Promise<BatchDocument | null> {
  const scopes = [scope].flat().map(scopeKey);
  const find = () => batchesIn(database).findOne({ _id: batchId, scope: { $in: scopes } });
  const batch = (await find()) ?? (database.isReplicated() && isRecentId(batchId) ? await findWithRetries(find) : null);
  return batch?.deletedAt === undefined ? batch : null;
}

/** A batch by its id alone, deleted ones too, for the workflow that runs it. */
export async function readBatch(database: Database, batchId: string): Promise<BatchDocument | null> {
  return batchesIn(database).findOne({ _id: batchId });
}

export async function readBatches(database: Database, batchIds: readonly string[]): Promise<BatchDocument[]> {
  return batchIds.length === 0
    ? []
    : batchesIn(database)
        .find({ _id: { $in: [...batchIds] } })
        .toArray();
}

export const RUNNING = { $in: [...RUNNING_STATUSES] };
export const NOT_TO_BE_STARTED = { unstarted: '', startDue: '', startFailures: '' } as const;

/** Of these batches, those that are over or removed: no activity of theirs is delivered again. */
export async function finishedBatches(database: Database, batchIds: readonly string[]): Promise<Set<string>> {
  if (batchIds.length === 0) return new Set();
  const running = await batchesIn(database)
    .find({ _id: { $in: [...batchIds] }, status: RUNNING }, { projection: { _id: 1 } })
    .toArray();
  const alive = new Set(running.map((batch) => batch._id));
  return new Set(batchIds.filter((id) => !alive.has(id)));
}

/** From here on the batch does not exist for callers; the first caller that marks it has deleted it. */
export async function markDeleted(
  database: Database,
  scope: Scope,
  batchId: string,
  bulk?: string,
): Promise<BatchDocument | null> {
  return batchesIn(database).findOneAndUpdate(
    { _id: batchId, scope: scopeKey(scope), deletedAt: { $exists: false } },
    { $set: { deletedAt: new Date(), ...(bulk !== undefined && { bulk }) }, $unset: NOT_TO_BE_STARTED },
    { returnDocument: 'after' },
  );
}

/** Last step of removing a batch. */
export async function removeBatch(database: Database, batchId: string): Promise<void> {
  await batchesIn(database).deleteOne({ _id: batchId });
}
