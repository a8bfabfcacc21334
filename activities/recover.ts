import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { activityInfo, cancellationSignal, heartbeat, metricMeter } from '@temporalio/activity';
import { logPostponed } from '../services/failures.ts';
import { removeSweepSchedule } from '../services/temporal/recovery-workflow.ts';
import {
  RECOVERED,
  type Recovered,
  type RecoverInput,
  type RecoverResult,
  type RecoveryPlaces,
} from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { acceptUndos } from './recovery/accept-undos.ts';
import { clearBatchGauges } from './recovery/batch-gauges.ts';
import { BULK_JOBS } from './recovery/bulk.ts';
import { checkWaits } from './recovery/check-waits.ts';
import {
  expireKeys,
  forgetGroups,
  insertBound,
  removeIntents,
  removeOrphans,
  removePlaceholders,
  repairDefinitions,
  resolveMarks,
} from './recovery/clean-up.ts';
import { deliverRequests } from './recovery/deliver-requests.ts';
import { FinishLost } from './recovery/finish-lost.ts';
import { IMPORT_JOBS } from './recovery/imports.ts';
import { type Portion, type PortionResult, type RecoveryJob, toPlaces } from './recovery/job.ts';
import { expireBatches, PurgeDeleted } from './recovery/purge-deleted.ts';
import { startUnstarted } from './recovery/start-unstarted.ts';
import { WEBHOOK_JOBS } from './recovery/webhooks.ts';

/** Longest time in which a portion begins new work, in ms. */
const PORTION_MS = 10_000;
/** Pause after a portion that failed, in ms: a server is unavailable, or busy. */
const FAILED_MS = 5_000;
const HEARTBEAT_MS = 4_000;

/** Every job, the most urgent first. */
const jobs = (): readonly RecoveryJob[] => [
  insertBound,
  acceptUndos,
  startUnstarted,
  deliverRequests,
  ...IMPORT_JOBS,
  ...WEBHOOK_JOBS,
  ...BULK_JOBS,
  new FinishLost(),
  repairDefinitions,
  checkWaits,
  expireBatches,
  new PurgeDeleted(),
  removeIntents,
  removeOrphans,
  removePlaceholders,
  resolveMarks,
  forgetGroups,
  expireKeys,
];

/**
 * Finishes the work of processes that died, and removes objects after their retention. The jobs run concurrently,
 * each at its own pace in bounded portions, so that none waits for another: a batch that was never started is started within
 * seconds, however much there is to scan or to remove.
 *
 * An attempt that was timed out stops at its next step (`cancellationSignal`: its heartbeats are refused). If it is still at its
 * last step while its successor begins, that does no harm: the filter of each step names the run, the state or the age that it
 * depends on, and each step is safe to repeat.
 */
export async function recover(context: ActivityContext, input: RecoverInput): Promise<RecoverResult> {
  const places = new Map(Object.entries(placesToBeginWith(input)));
  const shift = new Shift(context, places);
  const beat = setInterval(() => heartbeat(toPlaces(places)), HEARTBEAT_MS);
  try {
    if (input.forMs === 0) await shift.once();
    else await shift.goOnFor(input.forMs);
  } finally {
    clearInterval(beat);
    clearBatchGauges();
  }
  // a worker that is asked to stop returns what it has done: the next one continues at once
  cancellationSignal().throwIfAborted();
  return { ...shift.recovered, places: toPlaces(places) };
}

/** The activity that earlier versions scheduled: one pass. */
export async function sweep(context: ActivityContext, _input: Record<string, never>): Promise<RecoverResult> {
  return recover(context, { forMs: 0 });
}

/** An attempt continues where the one before it sent its last heartbeat. */
function placesToBeginWith({ places = {} }: RecoverInput): RecoveryPlaces {
  const heard: unknown = activityInfo().heartbeatDetails;
  return typeof heard === 'object' && heard !== null ? (heard as RecoveryPlaces) : places;
}

class Shift {
  readonly recovered: Recovered = noneRecovered();
  readonly #context: ActivityContext;
  readonly #places: Map<string, string>;
  readonly #signal: AbortSignal;
  readonly #counter = metricMeter.createCounter('drover_recovered', 'recoveries', 'What recovery has done, by kind');

  constructor(context: ActivityContext, places: Map<string, string>) {
    this.#context = context;
    this.#places = places;
    const given = cancellationSignal();
    this.#signal = context.stopping ? AbortSignal.any([given, context.stopping]) : given;
    // every job waits on it
    setMaxListeners(0, this.#signal);
  }

  /** One pass over everything, one job after another. @throws the error of a job. */
  async once(): Promise<void> {
    for (const job of jobs()) {
      for (let hasMore = true; hasMore && !this.#signal.aborted; ) {
        const result = await job.run(this.#portion(Number.POSITIVE_INFINITY, true));
        this.#count(result);
        hasMore = result.hasMore;
      }
    }
  }

  async goOnFor(ms: number): Promise<void> {
    const until = Date.now() + ms;
    await Promise.all([...jobs().map((job) => this.#repeat(job, until)), this.#removeSchedule()]);
  }

  async #repeat(job: RecoveryJob, until: number): Promise<void> {
    while (!this.#signal.aborted && Date.now() < until) {
      const waitMs = await this.#runPortion(job);
      if (waitMs <= 0) continue;
      const left = Math.min(waitMs, until - Date.now());
      await sleep(Math.max(0, left), undefined, { signal: this.#signal }).catch(() => undefined);
    }
  }

  /** @returns the time until the next portion, in ms. */
  async #runPortion(job: RecoveryJob): Promise<number> {
    try {
      const result = await job.run(this.#portion(Date.now() + PORTION_MS, false));
      this.#count(result);
      return result.hasMore ? (job.paceMs ?? 0) : job.everyMs;
    } catch (error) {
      if (!this.#signal.aborted) logPostponed(this.#context.logger, error, { job: job.name }, 'a recovery job failed');
      return FAILED_MS;
    }
  }

  #portion(until: number, isAtOnce: boolean): Portion {
    return { context: this.#context, until, signal: this.#signal, isAtOnce, places: this.#places };
  }

  #count({ recovered }: PortionResult): void {
    const done = RECOVERED.flatMap((kind) =>
      (recovered[kind] ?? 0) > 0 ? [[kind, recovered[kind] ?? 0] as const] : [],
    );
    for (const [kind, count] of done) {
      this.recovered[kind] += count;
      this.#counter.add(count, { kind });
    }
    if (done.length > 0) this.#context.logger.info({ ...Object.fromEntries(done) }, 'recovered');
  }

  /** The schedule of an earlier version, whose workers may have run until now. */
  async #removeSchedule(): Promise<void> {
    const { client, taskQueue, logger } = this.#context;
    try {
      if (await removeSweepSchedule(client, taskQueue)) logger.info('the schedule of an earlier version is removed');
    } catch (error) {
      logger.warn({ err: error }, 'the schedule of an earlier version could not be removed; it does no harm');
    }
  }
}

const noneRecovered = (): Recovered => ({ started: 0, inserted: 0, delivered: 0, finished: 0, purged: 0, removed: 0 });
