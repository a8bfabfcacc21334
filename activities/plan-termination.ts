import { tallyOf } from '../domain/tally.ts';
import { type BatchDocument, recordJobsCreated } from '../store/batches.ts';
import { readOutcomes } from '../store/outcome-pages.ts';
import type { Dependencies } from './dependencies.ts';
import type { Plan, Work } from './plan-batch.ts';

/**
 * Plans one seed of a deletion of process instances: the next `batchJobsPerSeed` jobs of `invocationsPerBatchJob` items each,
 * in index order. Items that are settled already are only counted.
 * @param cursor index of the first item of the seed.
 */
export async function planTermination({ database }: Dependencies, batch: BatchDocument, cursor: number): Promise<Plan> {
  const { options } = batch;
  if (!('invocationsPerBatchJob' in options)) throw new Error(`batch ${batch._id} deletes no process instances`);
  const end = Math.min(batch.total, cursor + options.invocationsPerBatchJob * options.batchJobsPerSeed);
  const indexes = Array.from({ length: end - cursor }, (_, offset) => cursor + offset);
  const outcomes = await readOutcomes(database, batch, indexes);
  // an item without an outcome is queued; a run's own activities settle items only after it is planned
  const isSettled = (index: number): boolean => (outcomes.get(index)?.status ?? 'queued') !== 'queued';
  const settled = indexes.flatMap((index) => (isSettled(index) ? (outcomes.get(index) ?? []) : []));
  const open = indexes.filter((index) => !isSettled(index));
  const jobs: Work[] = [];
  for (let at = 0; at < open.length; at += options.invocationsPerBatchJob) {
    jobs.push({ kind: 'items', indexes: open.slice(at, at + options.invocationsPerBatchJob) });
  }
  await recordJobsCreated(database, batch._id, Math.ceil(end / options.invocationsPerBatchJob));
  return { tally: tallyOf(settled), stages: jobs.length > 0 ? [jobs] : [], ...(end < batch.total && { next: end }) };
}
