import type { Filter } from 'mongodb';
import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn, NOT_TO_BE_STARTED, RUNNING } from './batches.ts';

/** What recovery asks of batches: each question is answered by an index, a bounded number at a time. */

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
 * Notes that the workflows of these runs are started. Safe to repeat, and to lose: a start that is not confirmed is made again,
 * and finds its workflow.
 */
export async function confirmStarts(database: Database, started: readonly BatchRun[]): Promise<void> {
  for (const run of new Set(started.map((batch) => batch.run))) {
    const ids = started.filter((batch) => batch.run === run).map(({ _id }) => _id);
    // one that is passed over is started again, in vain; the run is named: a late confirmation of one run says nothing of the next one's start (invariant 1)
    await batchesIn(database).updateMany({ _id: { $in: ids }, run }, { $unset: NOT_TO_BE_STARTED });
  }
}

/** A start that has failed does not stand in the way of others: it is tried again at `due`. */
export async function postponeStart(database: Database, { _id, run }: BatchRun, due: Date): Promise<void> {
  await batchesIn(database).updateOne(
    { _id, run, unstarted: true },
    { $set: { startDue: due }, $inc: { startFailures: 1 } },
  );
}

/** A batch that runs, as far as finding its workflow is concerned. */
export type OpenBatch = Pick<BatchDocument, '_id' | 'run' | 'unstarted'>;

/** Pages of the batches that run, in order of their ids from behind `after` on. */
export async function* openBatchPages(
  database: Database,
  after: string,
  pageSize: number,
): AsyncGenerator<OpenBatch[], void> {
  const found = batchesIn(database)
    .find({ status: RUNNING, _id: { $gt: after } })
    .project<OpenBatch>({ run: 1, unstarted: 1 })
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

/** Of these, the batches that still run, read anew. */
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

/** Batches that are to be removed for good, the first deleted first. */
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

/** Marks some finished batches as deleted that were completed before `before`. @returns how many. */
export async function markExpired(database: Database, before: Date, limit: number): Promise<number> {
  const expired = { completedAt: { $lt: before }, deletedAt: { $exists: false } };
  const found = await batchesIn(database)
    .find(expired, { projection: { _id: 1 } })
    .limit(limit)
    .toArray();
  if (found.length === 0) return 0;
  // one that was retried since then is not finished, and stays; one that is passed over is found by the next pass
  const { modifiedCount } = await batchesIn(database).updateMany(
    { _id: { $in: found.map(({ _id }) => _id) }, ...expired },
    { $set: { deletedAt: new Date() } },
  );
  return modifiedCount;
}
