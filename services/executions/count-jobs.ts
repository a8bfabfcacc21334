import { JobCounter, type JobCounts, totalJobs } from '../../domain/executions/job-counts.ts';
import { storedJobs } from '../../store/batches/termination-jobs.ts';
import type { Termination } from '../../store/batches/terminations.ts';
import { outcomeChunks } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** The jobs of a batch as stored with it; counted from its outcomes if an earlier version has begun it. */
export async function countJobs(database: Database, batch: Termination): Promise<JobCounts> {
  return storedJobs(batch) ?? countStoredOutcomes(database, batch);
}

/** Counts all jobs of a batch by its outcomes. */
export async function countStoredOutcomes(database: Database, batch: Termination): Promise<JobCounts> {
  // jobs of one item each, and the batch is finished: the stored result has their counts
  if (batch.options.invocationsPerBatchJob === 1 && batch.result !== undefined) {
    const { succeeded, skipped, failed, expired, cancelled } = batch.result.counts;
    return { completed: succeeded + skipped, failed: failed + expired + cancelled };
  }
  const counter = new JobCounter(batch);
  for await (const { outcomes } of outcomeChunks(database, batch))
    for (const [index, { status }] of outcomes) counter.add(index, status);
  return counter.counts;
}

/** The jobs of a batch of which every item has succeeded. */
export const allCompleted = (batch: Termination): JobCounts => ({ completed: totalJobs(batch), failed: 0 });
