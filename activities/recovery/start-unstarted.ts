import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { latestExecution, startBatch } from '../../services/batches/start-batch.ts';
import { startFailure } from '../../services/failures.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { confirmStarts, postponeStart, unstartedBatches } from '../../store/batches/to-recover.ts';
import type { ActivityContext } from '../activity-context.ts';
import { isOver, type RecoveryJob, type Slice, type SliceResult } from './job.ts';

/** Batches of one slice, and of them side by side. */
const BATCHES_PER_SLICE = 200;
const AT_ONCE = 10;
/** Time after which a start that has failed is tried again, in ms: after its first failure, and at most; twice as long each time. */
const POSTPONED_MS = 2_000;
const MOST_POSTPONED_MS = 60_000;
const MOST_DOUBLINGS = 5;
/** Longer than the grace of the API process that accepts, in ms: what a pass that was asked for takes as due. */
const DUE_SOON_MS = 10_000;
/** Time that the calls for one batch are given, in ms. */
const START_TIMEOUT_MS = 10_000;

/**
 * Starts what was accepted, or claimed for a retry, and whose start nobody has confirmed (invariant 1). Its index holds nothing
 * else, so it takes no longer however many batches wait. Of two starts one counts: a workflow id is taken once, and a run of a
 * retry is started only behind the run before it.
 */
export const startUnstarted: RecoveryJob = {
  name: 'start',
  everyMs: 2_000,
  run: async (slice) => {
    const asOf = new Date(Date.now() + (slice.isAtOnce ? DUE_SOON_MS : 0));
    const batches = await unstartedBatches(slice.context.database, asOf, BATCHES_PER_SLICE);
    const starter = new Starter(slice);
    await forEachConcurrently(batches, AT_ONCE, (batch) => starter.start(batch));
    return starter.result(batches.length === BATCHES_PER_SLICE);
  },
};

class Starter {
  readonly #slice: Slice;
  readonly #context: ActivityContext;
  #started = 0;
  #settled = 0;
  /** Starts that failed for what Temporal is, not for what the batch is. */
  #failed = 0;

  constructor(slice: Slice) {
    this.#slice = slice;
    this.#context = slice.context;
  }

  result(isFull: boolean): SliceResult {
    return { recovered: { started: this.#started }, hasMore: isFull && !this.#isStopped };
  }

  /** Temporal takes no starts for now: the rest waits. Part of it may fail (a shard of its history), and the rest be well. */
  get #isStopped(): boolean {
    return this.#failed > AT_ONCE && this.#failed > this.#settled;
  }

  async start(batch: BatchDocument): Promise<void> {
    if (this.#isStopped || isOver(this.#slice)) return;
    try {
      const { client } = this.#context;
      if (await client.withDeadline(Date.now() + START_TIMEOUT_MS, () => this.#startOne(batch))) this.#started += 1;
      await confirmStarts(this.#context.database, [batch]);
      this.#settled += 1;
    } catch (error) {
      await this.#onFailure(batch, error);
    }
  }

  async #startOne(batch: BatchDocument): Promise<boolean> {
    if (batch.deletedAt !== undefined || batch.completedAt !== undefined) return false;
    if (batch.run > 1) {
      const latest = await latestExecution(this.#context.client, batch._id);
      if (latest !== null && latest.run >= batch.run) return false;
    }
    return startBatch(this.#context, batch);
  }

  async #onFailure(batch: BatchDocument, error: unknown): Promise<void> {
    const { logger, database } = this.#context;
    const why = startFailure(error);
    logger.warn({ batchId: batch._id, why, err: error }, 'recovery could not start a batch');
    if (why !== 'refused') this.#failed += 1;
    const growing = POSTPONED_MS * 2 ** Math.min(batch.startFailures ?? 0, MOST_DOUBLINGS);
    const waitMs = why === 'refused' ? MOST_POSTPONED_MS : Math.min(growing, MOST_POSTPONED_MS);
    await postponeStart(database, batch, new Date(Date.now() + waitMs));
  }
}
