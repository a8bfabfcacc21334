import { RUNNING_STATUSES } from '../../domain/batch/batch.ts';
import { type JobCounts, NO_JOBS } from '../../domain/executions/job-counts.ts';
import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn, type StoredJobs } from './batches.ts';

/** Notes how many activities of a termination are planned. Safe to repeat; a retry does not reduce the number. */
export async function recordJobsCreated(database: Database, batchId: string, jobsCreated: number): Promise<void> {
  await batchesIn(database).updateOne({ _id: batchId }, { $max: { jobsCreated } });
}

/** Notes that items of a run have failed; of a run that is over, nothing. Safe to repeat. */
export async function recordFailedItems(database: Database, { _id, run }: BatchDocument): Promise<void> {
  await batchesIn(database).updateOne({ _id, run }, { $set: { hasFailedItems: true } });
}

/** Puts a finished batch aside: it is not listed as running any more. @returns false if another caller was first. */
export async function recordDismissed(database: Database, batchId: string): Promise<boolean> {
  const { modifiedCount } = await batchesIn(database).updateOne(
    // finished, or about to be cancelled: a batch that is being retried meanwhile is neither
    {
      _id: batchId,
      $or: [{ status: { $nin: [...RUNNING_STATUSES] } }, { cancelRequested: true }],
      dismissedAt: { $exists: false },
      deletedAt: { $exists: false },
    },
    { $set: { dismissedAt: new Date() } },
  );
  return modifiedCount === 1;
}

/** The stored counts of a batch's jobs; null if an earlier version has begun it. */
export function storedJobs({ jobs, status, run, result }: BatchDocument): JobCounts | null {
  if (jobs === undefined) return status === 'queued' && run === 1 && result === undefined ? NO_JOBS : null;
  const { completed, failed, blocks = {} } = jobs;
  return Object.values(blocks).reduce((sum, block) => added(sum, block), { completed, failed });
}

export function added(one: JobCounts, other: JobCounts, sign: 1 | -1 = 1): JobCounts {
  return { completed: one.completed + sign * other.completed, failed: one.failed + sign * other.failed };
}

type RunOfJobs = Pick<BatchDocument, '_id' | 'run'>;

/**
 * Begins to count a run with its first seed, or a later one. Safe to repeat: one of several attempts has an effect, and none that comes
 * after another seed has begun.
 * @param before the seed that was under way; null for the first one of a run.
 */
export async function recordSeed(
  database: Database,
  { _id, run }: RunOfJobs,
  before: number | null,
  seed: number,
  others: JobCounts,
  blocks: ReadonlyMap<number, JobCounts>,
): Promise<void> {
  const jobs: StoredJobs = { run, seed, ...others, blocks: Object.fromEntries(blocks) };
  const isNext = before === null ? { 'jobs.run': { $ne: run } } : { 'jobs.run': run, 'jobs.seed': before };
  await batchesIn(database).updateOne({ _id, run, ...isNext }, { $set: { jobs } });
}

/** Notes how many jobs of some blocks are done; nothing if their seed or their run is over. Safe to repeat. */
export async function recordJobs(
  database: Database,
  { _id, run }: RunOfJobs,
  seed: number,
  blocks: ReadonlyMap<number, JobCounts>,
): Promise<void> {
  const $max = Object.fromEntries(
    [...blocks].flatMap(([number, { completed, failed }]) => [
      [`jobs.blocks.${number}.completed`, completed],
      [`jobs.blocks.${number}.failed`, failed],
    ]),
  );
  await batchesIn(database).updateOne({ _id, run, 'jobs.run': run, 'jobs.seed': seed }, { $max });
}
