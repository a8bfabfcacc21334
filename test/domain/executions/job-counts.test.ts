import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ItemStatus } from '../../../domain/batch/outcome.ts';
import { blocksOf, countBlocks, JobCounter, type JobLayout, seedOf } from '../../../domain/executions/job-counts.ts';

const statuses = fc.constantFrom<ItemStatus>('queued', 'succeeded', 'skipped', 'failed', 'cancelled');

/** Layouts in which jobs, pages and seeds begin at all kinds of places. */
const layouts = fc.record({
  total: fc.integer({ min: 1, max: 60 }),
  pageSize: fc.integer({ min: 1, max: 12 }),
  options: fc.record({
    invocationsPerBatchJob: fc.integer({ min: 1, max: 15 }),
    batchJobsPerSeed: fc.integer({ min: 1, max: 6 }),
  }),
});

/** The expected counts: a job with a failed item has failed, a job whose items are all terminal and not failed is completed. */
function plainly({ total, options }: JobLayout, items: readonly ItemStatus[]): { completed: number; failed: number } {
  const counts = { completed: 0, failed: 0 };
  for (let from = 0; from < total; from += options.invocationsPerBatchJob) {
    const job = items.slice(from, Math.min(total, from + options.invocationsPerBatchJob));
    if (job.some((status) => status === 'failed' || status === 'cancelled')) counts.failed += 1;
    else if (job.every((status) => status !== 'queued')) counts.completed += 1;
  }
  return counts;
}

test('jobs are counted by the outcomes of their items, in any order', () => {
  fc.assert(
    fc.property(
      layouts,
      fc.array(statuses, { minLength: 60, maxLength: 60 }),
      fc.boolean(),
      (layout, items, turned) => {
        const indexes = Array.from({ length: layout.total }, (_, index) => index);
        const counter = new JobCounter(layout);
        for (const index of turned ? indexes.reverse() : indexes) counter.add(index, items[index] ?? 'queued');
        expect(counter.counts).toEqual(plainly(layout, items));
      },
    ),
  );
});

test('the blocks of all seeds have every job once, and add up to the jobs of the batch', () => {
  fc.assert(
    fc.property(layouts, fc.array(statuses, { minLength: 60, maxLength: 60 }), (layout, items) => {
      const seeds = new Map<number, number[]>();
      for (let index = 0; index < layout.total; index++) {
        const seed = seedOf(layout, index);
        seeds.set(seed, [...(seeds.get(seed) ?? []), index]);
      }
      const sum = { completed: 0, failed: 0 };
      const counted: number[] = [];
      for (const [seed, indexes] of seeds) {
        const blocks = blocksOf(layout, seed, indexes);
        for (const { from, to } of blocks) for (let index = from; index < to; index++) counted.push(index);
        for (const { completed, failed } of countBlocks(layout, blocks, (index) => items[index]).values()) {
          sum.completed += completed;
          sum.failed += failed;
        }
      }
      expect(counted.sort((a, b) => a - b)).toEqual(Array.from({ length: layout.total }, (_, index) => index));
      expect(sum).toEqual(plainly(layout, items));
    }),
  );
});
