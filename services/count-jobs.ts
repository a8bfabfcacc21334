import type { Counts } from '../domain/outcome.ts';
import { addInto } from '../domain/tally.ts';
import type { Database } from '../store/database.ts';
import type { DeletionBatch } from '../store/deletion-batches.ts';
import { outcomeChunks, type StoredOutcome } from '../store/outcome-pages.ts';
import { slices } from '../store/slices.ts';

/** What became of the jobs of a deletion: an activity with its items is one. A failed job remains to be done. */
export interface JobCounts {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
}

export const totalJobs = ({ total, options }: Pick<DeletionBatch, 'total' | 'options'>): number =>
  Math.ceil(total / options.invocationsPerBatchJob);

/** Counts jobs by the outcomes of their items: one with a failed item has failed, one with all of them settled is completed. */
export async function countJobs(database: Database, batch: DeletionBatch): Promise<JobCounts> {
  const { invocationsPerBatchJob: size } = batch.options;
  const total = totalJobs(batch);
  // of one item each, and finished: the stored result has them counted
  if (size === 1 && batch.result !== undefined) return { total, ...jobsIn(batch.result.counts) };
  const settled: Record<number, number> = {};
  const failed = new Set<number>();
  let completed = 0;
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    for (const [index, { status }] of outcomes) {
      const job = Math.floor(index / size);
      if (isFailed(status)) failed.add(job);
      else if (isSettled(status)) addInto(settled, { [job]: 1 });
      if (settled[job] === Math.min(size, batch.total - job * size)) {
        completed += 1;
        delete settled[job];
      }
    }
  }
  return { total, completed, failed: failed.size };
}

/** Batches whose outcomes are read side by side for one list. */
const BATCHES_AT_ONCE = 4;

/** Shows batches with the counts of their jobs, in their order, a few at a time. */
export async function withJobs<T>(
  database: Database,
  batches: readonly DeletionBatch[],
  show: (batch: DeletionBatch, jobs: JobCounts) => T,
): Promise<T[]> {
  const shown: T[] = [];
  for (const some of slices(batches, BATCHES_AT_ONCE))
    shown.push(...(await Promise.all(some.map(async (batch) => show(batch, await countJobs(database, batch))))));
  return shown;
}

const jobsIn = (counts: Counts): Pick<JobCounts, 'completed' | 'failed'> => ({
  completed: counts.succeeded + counts.skipped,
  failed: counts.failed + counts.expired + counts.cancelled,
});

const isFailed = (status: StoredOutcome['status']): boolean =>
  status === 'failed' || status === 'expired' || status === 'cancelled';
const isSettled = (status: StoredOutcome['status']): boolean => status === 'succeeded' || status === 'skipped';
