import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  continueAsNew,
  patched,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { type BatchSummary, isWrite } from '../domain/batch.ts';
import { SUSPENDED_STATUS } from '../domain/search-attributes.ts';
import { BatchPlan } from './batch-plan.ts';
import { BatchState } from './batch-state.ts';
import { BatchWaits } from './batch-waits.ts';
import { BatchWork } from './batch-work.ts';
import { describeBatch } from './describe-batch.ts';
import {
  assertReadable,
  type BatchInput,
  cancelSignal,
  dependenciesAvailableSignal,
  pendingItemsQuery,
  resumeSignal,
  SEARCH_ATTRIBUTES,
  statusQuery,
  suspendSignal,
} from './messages.ts';

/**
 * Signals after which an execution is left for a new one: a tenth of those that Temporal lets one have, after which it refuses
 * them. Usually it suggests a new one first (after 4,096 events, of which each signal is one), but both numbers are configurable.
 */
const SIGNALS_PER_EXECUTION = 1_000;

const STATUS_ATTRIBUTE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.status, SearchAttributeType.KEYWORD);

/**
 * The story of one batch: plan it, carry out its stages, wait for what its pending items miss, finish. It survives any crash;
 * what it carries through its history is numbers and indexes (invariant 7).
 */
export async function batchWorkflow(input: BatchInput): Promise<BatchSummary> {
  assertReadable(input);
  const state = new BatchState(input);
  receiveMessages(state);
  return CancellationScope.nonCancellable(() => new BatchRun(input, state).carryOut());
}

/** Handlers are set before the first await, so that no early message is lost. */
function receiveMessages(state: BatchState): void {
  let signals = 0;
  const received = (): void => {
    signals += 1;
    if (signals === SIGNALS_PER_EXECUTION) state.hasManySignals = patched('continues-as-new-by-its-signals');
  };
  setHandler(statusQuery, () => state.summary());
  setHandler(pendingItemsQuery, () => state.pendingItems());
  setHandler(dependenciesAvailableSignal, () => {
    state.woken = true;
    received();
  });
  setHandler(suspendSignal, (asked) => {
    state.suspend(asked);
    received();
  });
  setHandler(resumeSignal, (asked) => {
    state.resume(asked);
    received();
  });
  setHandler(cancelSignal, (asked) => state.cancel(asked));
  // A cancellation requested in the Temporal UI is the same.
  CancellationScope.current().cancelRequested.catch(() => state.cancel());
}

class BatchRun {
  readonly #input: BatchInput;
  readonly #state: BatchState;
  readonly #work: BatchWork;
  readonly #plan: BatchPlan;
  readonly #waits: BatchWaits;
  #published: string;
  #recorded = 'processing';

  constructor(input: BatchInput, state: BatchState) {
    this.#input = input;
    this.#state = state;
    const publish = (): void => this.#publish();
    const onward = (): Promise<never> => this.#continueAsNew();
    this.#work = new BatchWork(input, state, publish);
    this.#plan = new BatchPlan(this.#work, state, input.carried, onward);
    this.#waits = new BatchWaits(this.#work, this.#plan, state, {
      // after each suspend and resume, so that what is stored ends as what holds, whoever stores beside
      isUnrecorded: () => state.controlled || this.#recorded !== this.#recordable(),
      record: () => this.#record(),
      publish,
      continueAsNew: onward,
    });
    // as it was started
    this.#published = input.carried === undefined ? 'queued' : '';
    if (input.carried !== undefined) this.#recorded = this.#recordable();
  }

  async carryOut(): Promise<BatchSummary> {
    this.#publish();
    void this.#storeCancel();
    await Promise.all([this.#plan.carryOut(), this.#waits.watch()]);
    return this.#finish();
  }

  async #finish(): Promise<BatchSummary> {
    const { operation, run } = this.#input;
    const { cancelled, cascaded } = this.#state;
    // of a delete, and of the runs before a retry, what is stored has more to tell
    const succeeded = isWrite(operation) && run === 1 ? this.#state.succeeded : undefined;
    const summary = await this.#work.activities.finish({
      ...this.#work.id,
      cancelled,
      cascaded,
      ...(succeeded && { succeeded }),
    });
    this.#state.finish(summary);
    this.#publish();
    return summary;
  }

  /** What programs that do not ask the workflow can know of it: stored when it changes. */
  async #record(): Promise<void> {
    const { suspended } = this.#state;
    const { status } = this.#state.summary();
    this.#recorded = this.#recordable();
    this.#state.controlled = false;
    this.#publish();
    try {
      await this.#work.activities.record({
        ...this.#work.id,
        status: status === 'waiting' ? 'waiting' : 'processing',
        suspended,
        asked: this.#state.asked,
      });
    } catch (error) {
      this.#work.expectActivityFailure(error, 'its state could not be stored');
    }
  }

  /** That a program, or somebody in the Temporal UI, has cancelled the batch: stored for activities that are at work. */
  async #storeCancel(): Promise<void> {
    const state = this.#state;
    await condition(() => state.cancelled);
    if (state.isCancelStored || this.#work.running === 0 || !patched('stores-its-cancellation')) return;
    state.isCancelStored = true;
    const { suspended, asked } = state;
    try {
      await this.#work.activities.record({ ...this.#work.id, status: 'processing', suspended, asked, cancelled: true });
    } catch (error) {
      this.#work.expectActivityFailure(error, 'its cancellation could not be stored');
    }
  }

  #recordable(): string {
    const { status, suspended } = this.#state.summary();
    return `${status === 'waiting' && this.#plan.isDone ? 'waiting' : 'processing'}${suspended ? ' suspended' : ''}`;
  }

  /** Tells the Temporal UI. */
  #publish(): void {
    const summary = this.#state.summary();
    setCurrentDetails(describeBatch(this.#input, summary));
    const shown = summary.suspended ? SUSPENDED_STATUS : summary.status;
    if (shown === this.#published) return;
    this.#published = shown;
    upsertSearchAttributes([{ key: STATUS_ATTRIBUTE, value: shown }]);
  }

  async #continueAsNew(): Promise<never> {
    return continueAsNew<typeof batchWorkflow>({
      ...this.#input,
      carried: { ...this.#state.carry(), ...this.#plan.carry() },
    });
  }
}
