import { addTally, type Tally, tallyOf } from '../../domain/batch/tally.ts';
import {
  blocksOf,
  countBlocks,
  itemsPerSeed,
  type JobBlock,
  JobCounter,
  type JobCounts,
  NO_JOBS,
} from '../../domain/executions/job-counts.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { added, recordJobsCreated, recordSeed } from '../../store/batches/termination-jobs.ts';
import { isTermination, type Termination } from '../../store/batches/terminations.ts';
import { pagesWith } from '../../store/items/item-pages.ts';
import { outcomeChunks, readOutcomes, type StoredOutcome } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';
import type { Plan, Work } from '../../workflows/messages.ts';
import type { ActivityContext } from '../activity-context.ts';

/**
 * Plans one seed of a termination: the next `batchJobsPerSeed` jobs of `invocationsPerBatchJob` items each,
 * in index order, without the items that are finished already. The first plan of a run counts those of the whole batch: a retried
 * batch shows them from its start on.
 * @param cursor index of the first item of the seed.
 */
export async function planTermination(
  { database }: ActivityContext,
  batch: BatchDocument,
  cursor: number,
): Promise<Plan> {
  if (!isTermination(batch)) throw new Error(`batch ${batch._id} deletes no process instances`);
  const { options } = batch;
  const end = Math.min(batch.total, cursor + itemsPerSeed(batch));
  const indexes = range(cursor, end);
  const outcomes = await readOutcomes(database, batch, indexes);
  const open = indexes.filter((index) => !isFinished(outcomes.get(index)));
  const jobs: Work[] = [];
  for (const some of parts(open, options.invocationsPerBatchJob)) jobs.push({ kind: 'items', indexes: some });
  await recordJobsCreated(database, batch._id, Math.ceil(end / options.invocationsPerBatchJob));
  const blocks = countBlocks(batch, blocksOf(batch, cursor, indexes), (index) => outcomes.get(index)?.status);
  if (cursor > 0) await countNextSeed(database, batch, cursor, blocks);
  return {
    tally: cursor === 0 ? await countFromTheStart(database, batch, blocks) : tallyOf([]),
    stages: jobs.length > 0 ? [jobs] : [],
    ...(end < batch.total && { next: end }),
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, offset) => from + offset);

/** An item without an outcome is queued; a run's own activities finish items only after its first plan. */
const isFinished = (outcome: StoredOutcome | undefined): boolean => (outcome?.status ?? 'queued') !== 'queued';

type Blocks = ReadonlyMap<JobBlock['number'], JobCounts>;

const sumOf = (blocks: Blocks): JobCounts => [...blocks.values()].reduce((sum, block) => added(sum, block), NO_JOBS);

/** Counts what earlier runs have finished: the items for the workflow, the jobs for lists. */
async function countFromTheStart(database: Database, batch: Termination, first: Blocks): Promise<Tally> {
  const sum = tallyOf([]);
  const jobs = new JobCounter(batch);
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    addTally(sum, tallyOf([...outcomes.values()].filter(isFinished)));
    for (const [index, { status }] of outcomes) jobs.add(index, status);
  }
  await recordSeed(database, batch, null, 0, added(jobs.counts, sumOf(first), -1), first);
  return sum;
}

/** Adds up the seed before, whose activities are done, and subtracts the part that is counted with this one from now on. */
async function countNextSeed(database: Database, batch: Termination, cursor: number, blocks: Blocks): Promise<void> {
  const before = cursor - itemsPerSeed(batch);
  const { jobs } = batch;
  // an earlier version has begun it, or another attempt of this plan has done this
  if (jobs?.run !== batch.run || jobs.seed !== before) return;
  const done = new JobCounter(batch);
  for await (const { outcomes } of outcomeChunks(database, batch, pagesWith(batch, range(before, cursor)))) {
    for (const [index, { status }] of outcomes) if (index >= before && index < cursor) done.add(index, status);
  }
  const others = added(added(jobs, done.counts), sumOf(blocks), -1);
  await recordSeed(database, batch, before, cursor, others, blocks);
}
