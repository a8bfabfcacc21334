import { isTerminal } from '../../domain/batch/batch.ts';
import { CLOCKS_DIFFER_MS } from '../../domain/clocks.ts';
import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { openBatchIds } from '../../services/batches/open-batches.ts';
import { type BatchExecution, latestExecution, startBatch } from '../../services/batches/start-batch.ts';
import { logPostponed } from '../../services/failures.ts';
import { type BatchDocument, readBatch } from '../../store/batches/batches.ts';
import { type OpenBatch, openBatchPages, stillOpen } from '../../store/batches/to-recover.ts';
import type { ActivityContext } from '../activity-context.ts';
import { finishBatch } from '../finish-batch.ts';
import { BatchGauges } from './batch-gauges.ts';
import { isOver, NOTHING_DONE, type Portion, type PortionResult, type RecoveryJob } from './job.ts';

/** Batches of one portion: as many as one page of a list of executions. */
const PAGE_SIZE = 1_000;
/** Number of batches that are described one by one, concurrently. */
const AT_ONCE = 8;
/** Pause between two pages in ms: Temporal answers 10 lists a second for all callers together, users of its UI included. */
const PACE_MS = 250;
/** Time from the end of one pass to the next in ms, and at least so many times the duration of the pass. */
const REST_MS = 20_000;
const REST_BY_DURATION = 2;
/** Timeout of one call, in ms. */
const CALL_TIMEOUT_MS = 10_000;
const PLACE = 'lost';

/**
 * Finishes or restarts batches that have lost their workflow: it was terminated, or deleted, or Temporal lost its database. For
 * each thousand running batches it queries visibility once for open executions; only the others are described one by
 * one. Visibility lags by seconds, so some descriptions are in vain, or a loss is found a pass later; nothing is
 * decided by it.
 */
export class FinishLost implements RecoveryJob {
  readonly name = 'finish';
  readonly paceMs = PACE_MS;
  #pages: AsyncGenerator<OpenBatch[], void> | undefined;
  readonly #gauges = new BatchGauges();
  #began = 0;
  #restMs = 0;

  get everyMs(): number {
    return this.#restMs;
  }

  async run(portion: Portion): Promise<PortionResult> {
    const { context, places } = portion;
    if (this.#pages === undefined) {
      this.#began = Date.now();
      const from = places.get(PLACE) ?? '';
      this.#pages = openBatchPages(context.database, from, PAGE_SIZE);
      this.#gauges.begin(from === '');
    }
    try {
      const { value: page } = await this.#pages.next();
      if (page !== undefined && page.length > 0) {
        this.#gauges.add(page);
        return await this.#recoverPage(portion, page);
      }
      places.delete(PLACE);
      await this.#gauges.end(context.database);
      await this.#endPass();
      return NOTHING_DONE;
    } catch (error) {
      await this.#endPass();
      throw error;
    }
  }

  async #endPass(): Promise<void> {
    const pages = this.#pages;
    this.#pages = undefined;
    this.#restMs = Math.max(REST_MS, REST_BY_DURATION * (Date.now() - this.#began));
    await pages?.return();
  }

  async #recoverPage(portion: Portion, page: readonly OpenBatch[]): Promise<PortionResult> {
    const { context, places } = portion;
    const recovered = { started: 0, finished: 0 };
    let isWhole = true;
    let reached: string | undefined;
    await forEachConcurrently(await withoutWorkflow(context, page), AT_ONCE, async (batch) => {
      if (isOver(portion)) {
        isWhole = false;
        return;
      }
      reached = batch._id;
      const outcome = await recoverOrLeave(context, batch);
      if (outcome !== null) recovered[outcome] += 1;
    });
    const last = page.at(-1);
    if (isWhole && last !== undefined) places.set(PLACE, last._id);
    else {
      // slow batches do not delay the others: the next portion continues after them
      if (reached !== undefined) places.set(PLACE, reached);
      await this.#endPass();
    }
    return { recovered, hasMore: true };
  }
}

/** The batches of a page that run according to the store and have no open execution according to visibility. */
async function withoutWorkflow(
  { client, database, taskQueue }: ActivityContext,
  page: readonly OpenBatch[],
): Promise<BatchDocument[]> {
  // another job starts the unstarted ones
  const begun = page.filter(({ unstarted }) => unstarted !== true).map(({ _id }) => _id);
  if (begun.length === 0) return [];
  const open = await openBatchIds(client, taskQueue, begun);
  // most of the others have ended since the page was read
  return stillOpen(
    database,
    begun.filter((id) => !open.has(id)),
  );
}

type Outcome = 'started' | 'finished' | null;

/** A batch that cannot be repaired now does not delay the others. */
async function recoverOrLeave(context: ActivityContext, batch: BatchDocument): Promise<Outcome> {
  try {
    return await recoverBatch(context, batch);
  } catch (error) {
    logPostponed(context.logger, error, { batchId: batch._id }, 'recovering a batch failed; the next pass retries it');
    return null;
  }
}

/** Executions that were found closed -> when, by a monotonic clock. */
const foundClosed = new Map<string, number>();
/** Largest number of them that is kept: if more close within minutes, the first are found again. */
const MOST_FOUND_CLOSED = 50_000;

/**
 * Whether an execution has been closed for a time: by Temporal's clock, however wrong that of this process is, or since this
 * process has found it closed.
 * @internal exported for tests, which check it by itself
 */
export function isClosedFor({ runId, closedAt }: Pick<BatchExecution, 'runId' | 'closedAt'>, ms: number): boolean {
  if (Date.now() - (closedAt?.getTime() ?? 0) >= ms + CLOCKS_DIFFER_MS) return true;
  const found = foundClosed.get(runId) ?? performance.now();
  const isOver = performance.now() - found >= ms;
  foundClosed.delete(runId);
  if (isOver) return true;
  foundClosed.set(runId, found);
  const [first] = foundClosed.size > MOST_FOUND_CLOSED ? foundClosed.keys() : [];
  if (first !== undefined) foundClosed.delete(first);
  return false;
}

/** Ensures that a workflow runs the batch, or finishes the batch if none will. */
export async function recoverBatch(context: ActivityContext, batch: BatchDocument): Promise<Outcome> {
  const { client, database, activityTimeoutSeconds } = context;
  if (isTerminal(batch.status)) return null;
  const inTime = <T>(call: () => Promise<T>): Promise<T> => client.withDeadline(Date.now() + CALL_TIMEOUT_MS, call);
  const execution = await inTime(() => latestExecution(client, batch._id));
  // an open execution is alive, in whatever state: a paused one continues when it is unpaused
  if (execution?.isOpen) return null;
  const isBegun = execution !== null && execution.run >= batch.run;
  if (!isBegun && batch.deletedAt === undefined)
    return (await inTime(() => startBatch(context, batch))) ? 'started' : null;
  // An activity may outlive its workflow by the time in which it may write, whatever the limit of this worker's own activities.
  const outlives = execution?.activityTimeoutSeconds ?? activityTimeoutSeconds;
  if (isBegun && !isClosedFor(execution, outlives * 1000)) return null;
  // The workflow of this run is closed, and has not finished its batch: it was terminated (invariant 1).
  const current = await readBatch(database, batch._id);
  if (current === null || isTerminal(current.status) || current.run !== batch.run) return null;
  await finishBatch(context, {
    batchId: batch._id,
    run: batch.run,
    cancelled: !execution?.hasFailed,
    cascaded: 0,
    abandoned: true,
  });
  return 'finished';
}
