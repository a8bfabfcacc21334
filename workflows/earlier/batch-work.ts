import { ActivityFailure, condition, log, patched, workflowInfo } from '@temporalio/workflow';
import type { Operation } from '../../domain/batch/batch.ts';
import { batchActivities } from '../batch-activities.ts';
import type { BatchState } from '../batch-state.ts';
import type { BatchInput } from '../messages.ts';

/**
 * Activities of one batch at a time: enough to keep a worker busy, few enough for suspend and cancel to take effect (a batch of 10,000 items
 * has ten in all) and for other batches to run. Activities that end executions mostly wait.
 */
const ACTIVITIES_IN_FLIGHT: Readonly<Record<Operation, number>> = {
  upload: 3,
  patch: 3,
  delete: 4,
  undo: 4,
  terminate: 8,
};
/**
 * An activity that finds its batch suspended or cancelled leaves its items, and the signal with the reason is on its way. Pause before
 * they are tried again without a signal, in ms: the first and the longest.
 */
const HALTED_RETRY_MS = 250;
const MAX_HALTED_RETRY_MS = 10_000;

/** Runs the activities of one batch, whatever they do: a few at a time, respecting suspend and cancel. */
export class BatchWork {
  readonly activities;
  /** The common input of all activities. */
  readonly id: { readonly batchId: string; readonly run: number; readonly keepsLeft: true };
  /** Activities that are running. */
  running = 0;
  readonly #operation: Operation;
  readonly #state: BatchState;
  readonly #publish: () => void;
  /** Whether this execution may continue as new in the middle of its plan: executions of an earlier version do not. */
  #mayRest: boolean | undefined;

  /** @param publish called whenever an activity is done. */
  constructor(input: BatchInput, state: BatchState, publish: () => void) {
    this.activities = batchActivities(input, { local: 0 });
    this.id = { batchId: input.batchId, run: input.run, keepsLeft: true };
    this.#operation = input.operation;
    this.#state = state;
    this.#publish = publish;
  }

  /** The server wants a new execution, or will soon refuse signals to this one. */
  get isLong(): boolean {
    return workflowInfo().continueAsNewSuggested || this.#state.hasManySignals;
  }

  /** As `isLong`, and this execution may end before its plan is done. */
  get isFull(): boolean {
    if (!this.isLong) return false;
    this.#mayRest ??= patched('continues-as-new-in-its-plan');
    return this.#mayRest;
  }

  /** As `isFull`, for an execution in which that is not decided yet. */
  get wantsRest(): boolean {
    return this.isLong && this.#mayRest !== false;
  }

  /**
   * Runs the work of one stage, a few activities at a time; none is started while suspended or once cancelled.
   * @param left the work; finished and failed work is removed from it.
   * @param onSuspend whether the remaining work waits here, or is left.
   * @param carryOut runs one piece of work; returns the part that it has not begun, because the batch is suspended or cancelled.
   */
  async runStage<T>(left: T[], onSuspend: 'wait' | 'leave', carryOut: (work: T) => Promise<T | null>): Promise<void> {
    const state = this.#state;
    const runNext = async (): Promise<void> => {
      for (let halted = 0; ; ) {
        if (state.suspended && onSuspend === 'leave') return;
        // no additional await: the order of commands is that of recorded histories
        if (state.suspended) await condition(() => !state.suspended || state.cancelled || this.wantsRest);
        if (state.cancelled || (onSuspend === 'wait' && this.isFull)) return;
        if (state.suspended) continue;
        const work = left.shift();
        if (work === undefined) return;
        this.running += 1;
        const rest = await carryOut(work);
        this.running -= 1;
        this.#publish();
        halted = rest === null ? 0 : halted + 1;
        if (rest === null) continue;
        left.unshift(rest);
        if (onSuspend === 'leave') return;
        await this.untilDelivered(halted);
      }
    };
    const width = ACTIVITIES_IN_FLIGHT[this.#operation];
    await Promise.all(Array.from({ length: Math.min(width, left.length) }, runNext));
  }

  /**
   * Activities have left items because the batch is stored as suspended or cancelled: the signal is on its way, or has come.
   * @param times consecutive times.
   */
  async untilDelivered(times = 1): Promise<void> {
    const state = this.#state;
    if (state.suspended || state.cancelled) return;
    const { controls } = state;
    const waitMs = Math.min(HALTED_RETRY_MS * 2 ** (times - 1), MAX_HALTED_RETRY_MS);
    await condition(() => state.controls !== controls, waitMs, {
      summary: 'waiting for the signal of a suspend or cancel that is stored',
    });
  }

  /** An activity has failed for good, because of a bug. @throws any other error. */
  expectActivityFailure(error: unknown, what: string): void {
    if (!(error instanceof ActivityFailure)) throw error;
    log.error(what, { batchId: this.id.batchId, cause: error.cause?.message });
  }
}
