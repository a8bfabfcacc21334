import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { latestExecution, startBatch } from '../../services/batches/start-batch.ts';
import { startFailure } from '../../services/failures.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { confirmStarts, postponeStart, unstartedBatches } from '../../store/batches/to-recover.ts';
import { markBatchesOfImport } from '../../store/imports/import-batches.ts';
import { readImport } from '../../store/imports/imports.ts';
import type { ActivityContext } from '../activity-context.ts';
import { isOver, type Portion, type PortionResult, type RecoveryJob } from './job.ts';

/** Batches of one portion, and how many of them run at a time. */
const BATCHES_PER_PORTION = 200;
const AT_ONCE = 10;
/** Time after which a failed start is tried again, in ms: the first and the longest; doubled each time. */
const POSTPONED_MS = 2_000;
const MOST_POSTPONED_MS = 60_000;
const MOST_DOUBLINGS = 5;
/** Longer than the time that the accepting API process has, in ms: a pass that an operator has requested treats such starts as due. */
const DUE_SOON_MS = 10_000;
/** Timeout of the calls for one batch, in ms. */
const START_TIMEOUT_MS = 10_000;

/**
 * Starts batches that were accepted, or claimed for a retry, and whose start is not confirmed (invariant 1). Its index contains nothing
 * else, so it takes no longer however many batches wait. Of two starts one has an effect: a workflow id is taken once, and a run of a
 * retry is started only after the run before it.
 */
export const startUnstarted: RecoveryJob = {
  name: 'start',
  everyMs: 2_000,
  run: async (portion) => {
    const asOf = new Date(Date.now() + (portion.isAtOnce ? DUE_SOON_MS : 0));
    const batches = await unstartedBatches(portion.context.database, asOf, BATCHES_PER_PORTION);
    const starter = new Starter(portion);
    await forEachConcurrently(batches, AT_ONCE, (batch) => starter.start(batch));
    return starter.result(batches.length === BATCHES_PER_PORTION);
  },
};

/** Whoever inserted the batch may have died before it saw that its import was deleted: nothing of that begins. */
async function isOfDeletedImport({ database }: ActivityContext, { importId }: BatchDocument): Promise<boolean> {
  if (importId === undefined || (await readImport(database, importId))?.deletedAt === undefined) return false;
  await markBatchesOfImport(database, importId);
  return true;
}

class Starter {
  readonly #portion: Portion;
  readonly #context: ActivityContext;
  #started = 0;
  #settled = 0;
  /** Starts that failed because of Temporal, not because of the batch. */
  #failed = 0;

  constructor(portion: Portion) {
    this.#portion = portion;
    this.#context = portion.context;
  }

  result(isFull: boolean): PortionResult {
    return { recovered: { started: this.#started }, hasMore: isFull && !this.#isStopped };
  }

  /** Temporal accepts no starts for now: the rest waits. Only a part of it (a shard of its history) may fail. */
  get #isStopped(): boolean {
    return this.#failed > AT_ONCE && this.#failed > this.#settled;
  }

  async start(batch: BatchDocument): Promise<void> {
    if (this.#isStopped || isOver(this.#portion)) return;
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
    if (await isOfDeletedImport(this.#context, batch)) return false;
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
