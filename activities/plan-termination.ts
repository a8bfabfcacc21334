import { addTally, type Tally, tallyOf } from '../domain/tally.ts';
import { type BatchDocument, recordJobsCreated } from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import { outcomeChunks, readOutcomes, type StoredOutcome } from '../store/outcome-pages.ts';
import type { Dependencies } from './dependencies.ts';
import type { Plan, Work } from './plan-batch.ts';

/**
 * Plans one seed of a deletion of process instances: the next `batchJobsPerSeed` jobs of `invocationsPerBatchJob` items each,
 * in index order, without the items that are finished already. The first plan of a run counts those of the whole batch: a retried
 * one shows them from its start on.
 * @param cursor index of the first item of the seed.
 */
export async function planTermination({ database }: Dependencies, batch: BatchDocument, cursor: number): Promise<Plan> {
  const { options } = batch;
  if (!('invocationsPerBatchJob' in options)) throw new Error(`batch ${batch._id} deletes no process instances`);
  const end = Math.min(batch.total, cursor + options.invocationsPerBatchJob * options.batchJobsPerSeed);
  const indexes = Array.from({ length: end - cursor }, (_, offset) => cursor + offset);
  const outcomes = await readOutcomes(database, batch, indexes);
  const open = indexes.filter((index) => !isFinished(outcomes.get(index)));
  const jobs: Work[] = [];
  for (let at = 0; at < open.length; at += options.invocationsPerBatchJob) {
    jobs.push({ kind: 'items', indexes: open.slice(at, at + options.invocationsPerBatchJob) });
  }
  await recordJobsCreated(database, batch._id, Math.ceil(end / options.invocationsPerBatchJob));
  return {
    tally: cursor === 0 ? await tallyOfFinished(database, batch) : tallyOf([]),
    stages: jobs.length > 0 ? [jobs] : [],
    ...(end < batch.total && { next: end }),
  };
}

/** An item without an outcome is queued; a run's own activities finish items only after its first plan. */
const isFinished = (outcome: StoredOutcome | undefined): boolean => (outcome?.status ?? 'queued') !== 'queued';

async function tallyOfFinished(database: Database, batch: BatchDocument): Promise<Tally> {
  const sum = tallyOf([]);
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    addTally(sum, tallyOf([...outcomes.values()].filter(isFinished)));
  }
  return sum;
}
