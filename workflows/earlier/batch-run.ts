import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { condition, continueAsNew, patched, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { type BatchSummary, isWrite } from '../../domain/batch/batch.ts';
import { SUSPENDED_STATUS } from '../../domain/batch/search-attributes.ts';
import type { BatchState } from '../batch-state.ts';
import { describeBatch } from '../describe-batch.ts';
import { type BatchInput, SEARCH_ATTRIBUTES } from '../messages.ts';
import { BatchPlan } from './batch-plan.ts';
import { BatchWaits } from './batch-waits.ts';
import { BatchWork } from './batch-work.ts';

const STATUS_ATTRIBUTE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.status, SearchAttributeType.KEYWORD);

/**
 * How versions before `nextStep` ran a batch: kept unchanged for executions that they have begun, whose commands may not change.
 * To be removed when none of them can be open any more: a batch waits a day at most, and continues as new in between.
 */
export class EarlierBatchRun {
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
      // after each suspend and resume, so that the last value stored is the current one, even if an API process stores at the same time
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
    // for deletes and retries, the stored outcomes say more than the workflow knows
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

  /** The state for programs that do not query the workflow: stored when it changes. */
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

  /** Stores that a program, or an operator in the Temporal UI, has cancelled the batch, for running activities. */
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

  /** Updates current details and search attributes. */
  #publish(): void {
    const summary = this.#state.summary();
    setCurrentDetails(describeBatch(this.#input, summary));
    const shown = summary.suspended ? SUSPENDED_STATUS : summary.status;
    if (shown === this.#published) return;
    this.#published = shown;
    upsertSearchAttributes([{ key: STATUS_ATTRIBUTE, value: shown }]);
  }

  async #continueAsNew(): Promise<never> {
    return continueAsNew<(input: BatchInput) => Promise<BatchSummary>>({
      ...this.#input,
      carried: { ...this.#state.carry(), ...this.#plan.carry() },
    });
  }
}
