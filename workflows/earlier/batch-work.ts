import { ActivityFailure, condition, log, patched, workflowInfo } from '@temporalio/workflow';
import type { Operation } from '../../domain/batch/batch.ts';
import { batchActivities } from '../batch-activities.ts';
import type { BatchState } from '../batch-state.ts';
import type { BatchInput } from '../messages.ts';

/**
 * Activities of one batch at a time: enough to keep a worker busy, few enough for suspend and cancel to bite (one of 10,000 items has
 * ten in all), and for other batches. Ending executions is mostly waiting for them.
 */
const ACTIVITIES_IN_FLIGHT: Readonly<Record<Operation, number>> = { upload: 3, patch: 3, delete: 4, terminate: 8 };
/**
 * An activity that finds its batch suspended or cancelled leaves its items, and the signal that says so is on its way. Wait before
 * they are tried again without one, in ms: at first, and at most.
 */
const HALTED_RETRY_MS = 250;
const MAX_HALTED_RETRY_MS = 10_000;

/** How the activities of one batch are run, whatever they are for: a few at a time, and heeding suspend and cancel. */
export class BatchWork {
  readonly activities;
  /** What every activity is told. */
  readonly id: { readonly batchId: string; readonly run: number; readonly keepsLeft: true };
  /** Activities that are running. */
  running = 0;
  readonly #operation: Operation;
  readonly #state: BatchState;
  readonly #publish: () => void;
  /** Whether this execution may continue as new in the middle of its plan: those of an earlier version do not. */
  #mayRest: boolean | undefined;

  /** @param publish called whenever an activity is done. */
  constructor(input: BatchInput, state: BatchState, publish: () => void) {
    this.activities = batchActivities(input);
    this.id = { batchId: input.batchId, run: input.run, keepsLeft: true };
    this.#operation = input.operation;
    this.#state = state;
    this.#publish = publish;
  }

  /** The server wants a new execution, or is soon to refuse signals to this one. */
  get isLong(): boolean {
    return workflowInfo().continueAsNewSuggested || this.#state.hasManySignals;
  }

  /** As `isLong`, and this execution may be left before its plan is done. */
  get isFull(): boolean {
    if (!this.isLong) return false;
    this.#mayRest ??= patched('continues-as-new-in-its-plan');
    return this.#mayRest;
  }

  /** As `isFull`, but for an execution of which that is not decided yet. */
  get wantsRest(): boolean {
    return this.isLong && this.#mayRest !== false;
  }

  /**
   * Runs the work of one stage, a few activities at a time; none is started while suspended or once cancelled.
   * @param left the work; what has been done, or failed, leaves it.
   * @param onSuspend what is left then waits here, or is left undone.
   * @param carryOut returns what it has not begun, because the batch is suspended or cancelled.
   */
  async runStage<T>(left: T[], onSuspend: 'wait' | 'leave', carryOut: (work: T) => Promise<T | null>): Promise<void> {
    const state = this.#state;
    const lane = async (): Promise<void> => {
      for (let halted = 0; ; ) {
        if (state.suspended && onSuspend === 'leave') return;
        // not one await more than there was: the order of commands is that of recorded histories
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
    await Promise.all(Array.from({ length: Math.min(width, left.length) }, lane));
  }

  /**
   * Activities have left items because the batch is suspended or cancelled, as it is stored: the signal is on its way, or has come.
   * @param times in a row.
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

  /** An activity has failed for good, a bug of ours. @throws what is no failure of an activity. */
  expectActivityFailure(error: unknown, what: string): void {
    if (!(error instanceof ActivityFailure)) throw error;
    log.error(what, { batchId: this.id.batchId, cause: error.cause?.message });
  }
}
