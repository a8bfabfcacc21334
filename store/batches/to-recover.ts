import type { Filter } from 'mongodb';
import type { ResourceBatch } from '../../domain/batch/batch.ts';
import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn, NOT_TO_BE_STARTED, RUNNING } from './batches.ts';

/** The queries of recovery on batches: an index serves each of them, a bounded number at a time. */

/** A run of a batch. */
export interface BatchRun {
  readonly _id: string;
  readonly run: number;
}

/** Batches whose start is not confirmed and was due by `asOf`, the longest overdue first. */
export async function unstartedBatches(database: Database, asOf: Date, limit: number): Promise<BatchDocument[]> {
  return batchesIn(database)
    .find({ unstarted: true, startDue: { $lte: asOf } })
    .sort({ startDue: 1 })
    .limit(limit)
    .toArray();
}

/**
 * Notes that the workflows of these runs are started. Safe to repeat, and to lose: an unconfirmed start is repeated,
 * and finds its workflow.
 */
export async function confirmStarts(database: Database, started: readonly BatchRun[]): Promise<void> {
  for (const run of new Set(started.map((batch) => batch.run))) {
    const ids = started.filter((batch) => batch.run === run).map(({ _id }) => _id);
    // one that the update misses is started again, without effect; the filter names the run: a late confirmation of one run does not confirm the next one's start (invariant 1)
    await batchesIn(database).updateMany({ _id: { $in: ids }, run }, { $unset: NOT_TO_BE_STARTED });
  }
}

/** Postpones a start that has failed to `due`, so that it does not delay others. */
export async function postponeStart(database: Database, { _id, run }: BatchRun, due: Date): Promise<void> {
  await batchesIn(database).updateOne(
    { _id, run, unstarted: true },
    { $set: { startDue: due }, $inc: { startFailures: 1 } },
  );
}

/** The fields of a running batch that are needed to find its workflow. */
export type OpenBatch = Pick<BatchDocument, '_id' | 'run' | 'unstarted' | 'status' | 'suspended'>;

/** Pages of the running batches, in order of their ids, from after `after` on. */
export async function* openBatchPages(
  database: Database,
  after: string,
  pageSize: number,
): AsyncGenerator<OpenBatch[], void> {
  const found = batchesIn(database)
    .find({ status: RUNNING, _id: { $gt: after } })
    .project<OpenBatch>({ run: 1, unstarted: 1, status: 1, suspended: 1 })
    .sort({ _id: 1 })
    .batchSize(pageSize);
  try {
    let page: OpenBatch[] = [];
    for await (const batch of found) {
      page.push(batch);
      if (page.length < pageSize) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  } finally {
    await found.close();
  }
}

/** Of these, the batches that still run, read again. */
export async function stillOpen(database: Database, ids: readonly string[]): Promise<BatchDocument[]> {
  if (ids.length === 0) return [];
  return batchesIn(database)
    .find({ _id: { $in: [...ids] }, status: RUNNING })
    .sort({ _id: 1 })
    .toArray();
}

/** Batches with a control request that is not known to be delivered. */
export async function undeliveredRequests(database: Database, after: string, limit: number): Promise<BatchDocument[]> {
  return batchesIn(database)
    .find({ 'asked.told': false, _id: { $gt: after } })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
}

/** Where a page of deleted batches ended. */
export interface DeletedPlace {
  readonly at: Date;
  readonly id: string;
}

/** Batches that have to be removed for good, the first deleted first. */
export async function deletedBatches(
  database: Database,
  after: DeletedPlace | null,
  limit: number,
): Promise<BatchDocument[]> {
  const from: Filter<BatchDocument> =
    after === null
      ? { deletedAt: { $exists: true } }
      : { deletedAt: { $gte: after.at }, $or: [{ deletedAt: { $gt: after.at } }, { _id: { $gt: after.id } }] };
  return batchesIn(database).find(from).sort({ deletedAt: 1, _id: 1 }).limit(limit).toArray();
}

/** The shortest retention above `after` that any batch has asked for, in days; null if there is none. */
export async function nextRetention(database: Database, after: number): Promise<number | null> {
  const found = await batchesIn(database).findOne(
    { 'options.retentionDays': { $gt: after } },
    { projection: { 'options.retentionDays': 1 }, sort: { 'options.retentionDays': 1 } },
  );
  return (found?.options as RetainedOptions | undefined)?.retentionDays ?? null;
}

/** The option that is read of any operation: terminations have none. */
type RetainedOptions = Pick<ResourceBatch['options'], 'retentionDays'>;

/**
 * Marks some finished batches as deleted that were completed before `before`.
 * @param asked those that have asked to be kept for so many days; null: those that have not asked. @returns how many.
 */
export async function markExpired(
  database: Database,
  asked: number | null,
  before: Date,
  limit: number,
): Promise<number> {
  const expired: Filter<BatchDocument> = {
    'options.retentionDays': asked,
    // a batch of an import is removed with it; null, as absence has no place in the index
    importId: null as never,
    deletedAt: null as never,
    completedAt: { $lt: before },
  };
  const found = await batchesIn(database)
    .find(expired, { projection: { _id: 1 } })
    .limit(limit)
    .toArray();
  if (found.length === 0) return 0;
  // a batch that was retried since then is not finished, and stays; one that the update misses is found by the next pass
  const { modifiedCount } = await batchesIn(database).updateMany(
    { _id: { $in: found.map(({ _id }) => _id) }, ...expired },
    { $set: { deletedAt: new Date() } },
  );
  return modifiedCount;
}
