import type { ItemStatus } from '../batch/outcome.ts';
import { addInto } from '../batch/tally.ts';

/**
 * Counts of the jobs of a termination: a job is an activity with its items. A job with a failed item has failed and
 * remains to be done; a job whose items have all finished otherwise is completed.
 */
export interface JobCounts {
  readonly completed: number;
  readonly failed: number;
}

export const NO_JOBS: JobCounts = { completed: 0, failed: 0 };

/** The layout by which jobs are counted. */
export interface JobLayout {
  /** Items of the batch. */
  readonly total: number;
  /** Items of one page of outcomes. */
  readonly pageSize: number;
  readonly options: { readonly invocationsPerBatchJob: number; readonly batchJobsPerSeed: number };
}

export const totalJobs = ({ total, options }: Pick<JobLayout, 'total' | 'options'>): number =>
  Math.ceil(total / options.invocationsPerBatchJob);

/** Counts jobs by the outcomes of their items, which may come in any order, each once. */
export class JobCounter {
  readonly #size: number;
  readonly #total: number;
  readonly #completedItems: Record<number, number> = {};
  readonly #failed = new Set<number>();
  #completed = 0;

  constructor({ total, options }: Pick<JobLayout, 'total' | 'options'>) {
    this.#size = options.invocationsPerBatchJob;
    this.#total = total;
  }

  add(index: number, status: ItemStatus): void {
    const job = Math.floor(index / this.#size);
    if (isFailed(status)) this.#failed.add(job);
    else if (isCompleted(status)) addInto(this.#completedItems, { [job]: 1 });
    if (this.#completedItems[job] === Math.min(this.#size, this.#total - job * this.#size)) {
      this.#completed += 1;
      delete this.#completedItems[job];
    }
  }

  get counts(): JobCounts {
    return { completed: this.#completed, failed: this.#failed.size };
  }
}

const isFailed = (status: ItemStatus): boolean => status === 'failed' || status === 'expired' || status === 'cancelled';
const isCompleted = (status: ItemStatus): boolean => status === 'succeeded' || status === 'skipped';

/** Items that are planned at a time. */
export const itemsPerSeed = ({ options }: Pick<JobLayout, 'options'>): number =>
  options.invocationsPerBatchJob * options.batchJobsPerSeed;

/** Index of the first item of the seed that an item belongs to. */
export function seedOf(layout: Pick<JobLayout, 'options'>, index: number): number {
  return index - (index % itemsPerSeed(layout));
}

/** Jobs of one seed that are counted together, because the outcomes of their items are on the same page or pages. */
export interface JobBlock {
  /** Number of the block in its batch. */
  readonly number: number;
  /** Indexes of its items in the seed: from, and up to but not including. */
  readonly from: number;
  readonly to: number;
}

/** The blocks of a seed that items of it belong to, each once. */
export function blocksOf(layout: JobLayout, seed: number, indexes: Iterable<number>): JobBlock[] {
  const { total, pageSize, options } = layout;
  const items = Math.max(1, Math.floor(pageSize / options.invocationsPerBatchJob)) * options.invocationsPerBatchJob;
  const end = Math.min(total, seed + itemsPerSeed(layout));
  const numbers = new Set<number>();
  for (const index of indexes) numbers.add(Math.floor(index / items));
  return [...numbers].map((number) => ({
    number,
    from: Math.max(seed, number * items),
    to: Math.min(end, (number + 1) * items),
  }));
}

/** Counts of the jobs of each block, by its number. */
export function countBlocks(
  layout: JobLayout,
  blocks: readonly JobBlock[],
  statusOf: (index: number) => ItemStatus | undefined,
): Map<number, JobCounts> {
  return new Map(
    blocks.map(({ number, from, to }) => {
      const counter = new JobCounter(layout);
      for (let index = from; index < to; index++) counter.add(index, statusOf(index) ?? 'queued');
      return [number, counter.counts] as const;
    }),
  );
}
