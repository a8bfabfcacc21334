import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  ActivityFailure,
  CancellationScope,
  condition,
  continueAsNew,
  log,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Plan, Work } from '../activities/plan-batch.ts';
import { type BatchSummary, isWrite, type Operation } from '../domain/batch.ts';
import { SUSPENDED_STATUS } from '../domain/search-attributes.ts';
import { batchActivities } from './batch-activities.ts';
import { BatchState } from './batch-state.ts';
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
 * Activities of one batch at a time: enough to keep a worker busy, few enough for suspend and cancel to bite (one of 10,000 items has
 * ten in all), and for other batches. Ending executions is mostly waiting for them.
 */
const ACTIVITIES_IN_FLIGHT: Readonly<Record<Operation, number>> = { upload: 3, patch: 3, delete: 4, terminate: 8 };
/** Wait before looking again at items that another batch is carrying out, in ms. */
const CLAIMED_RETRY_MS = 500;

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
  setHandler(statusQuery, () => state.summary());
  setHandler(pendingItemsQuery, () => state.pendingItems());
  setHandler(dependenciesAvailableSignal, () => {
    state.woken = true;
  });
  setHandler(suspendSignal, () => {
    state.suspended = true;
    state.controlled = true;
  });
  setHandler(resumeSignal, () => {
    state.suspended = false;
    state.controlled = true;
    // What came meanwhile, a cycle that waited for this batch too, goes ahead now.
    state.woken = true;
  });
  const cancel = (): void => {
    state.cancelled = true;
  };
  setHandler(cancelSignal, cancel);
  // A cancellation requested in the Temporal UI is the same.
  CancellationScope.current().cancelRequested.catch(cancel);
}

class BatchRun {
  readonly #input: BatchInput;
  readonly #state: BatchState;
  readonly #activities;
  readonly #id: { readonly batchId: string; readonly run: number };
  #cursor: number | undefined;
  #planDone: boolean;
  #published: string;
  #recorded = 'processing';

  constructor(input: BatchInput, state: BatchState) {
    this.#input = input;
    this.#state = state;
    this.#activities = batchActivities(input);
    this.#id = { batchId: input.batchId, run: input.run };
    this.#cursor = input.carried === undefined ? 0 : input.carried.cursor;
    this.#planDone = this.#cursor === undefined;
    // as it was started
    this.#published = input.carried === undefined ? 'queued' : '';
    if (input.carried !== undefined) this.#recorded = this.#recordable();
  }

  async carryOut(): Promise<BatchSummary> {
    this.#publish();
    await Promise.all([this.#carryOutPlan(), this.#watchPending()]);
    return this.#finish();
  }

  /** Plans and carries out part after part. */
  async #carryOutPlan(): Promise<void> {
    while (this.#cursor !== undefined && !this.#state.cancelled) {
      const plan: Plan | null = await this.#planNext(this.#cursor);
      this.#state.started = true;
      this.#cursor = plan?.next;
      if (plan === null) break;
      this.#state.add(plan.tally);
      for (const stage of plan.stages) {
        await this.#carryOutStage(stage, 'wait', (work) => this.#carryOutWork(work));
        // Items that became pending have registered: now look (invariant 5).
        this.#state.woken = true;
      }
      if (this.#cursor !== undefined && workflowInfo().continueAsNewSuggested) await this.#continueAsNew();
    }
    this.#planDone = true;
  }

  async #planNext(cursor: number): Promise<Plan | null> {
    try {
      return await this.#activities.plan({ ...this.#id, cursor });
    } catch (error) {
      this.#expectActivityFailure(error, 'planning failed');
      return null;
    }
  }

  /**
   * Runs the work of one stage, a few activities at a time; none is started while suspended or once cancelled.
   * @param onSuspend what is left then waits here, or is left undone.
   */
  async #carryOutStage<T>(
    stage: readonly T[],
    onSuspend: 'wait' | 'leave',
    carryOut: (work: T) => Promise<void>,
  ): Promise<void> {
    const left = [...stage];
    const lane = async (): Promise<void> => {
      for (;;) {
        if (this.#state.suspended && onSuspend === 'leave') return;
        if (this.#state.suspended) await condition(() => !this.#state.suspended || this.#state.cancelled);
        const work = this.#state.cancelled ? undefined : left.shift();
        if (work === undefined) return;
        await carryOut(work);
        this.#publish();
      }
    };
    const width = ACTIVITIES_IN_FLIGHT[this.#input.operation];
    await Promise.all(Array.from({ length: Math.min(width, left.length) }, lane));
  }

  async #carryOutWork(work: Work): Promise<void> {
    try {
      if (work.kind === 'step') {
        const { tally, pending, cascaded } = await this.#activities.deleteStep(
          { ...this.#id, step: work.step },
          work.items,
        );
        this.#state.add(tally, pending, cascaded);
      } else {
        const { tally, pending, hasWaited } = await this.#activities.applyItems({ ...this.#id, indexes: work.indexes });
        this.#state.add(tally, pending);
        if (hasWaited) this.#state.hasWaited = true;
      }
    } catch (error) {
      // The items stay queued here; finishing gives them their outcome.
      this.#expectActivityFailure(error, 'work failed');
    }
  }

  /** Sleeps until a hint or a deadline comes, then looks, carries out what is ready, and expires what is due. */
  async #watchPending(): Promise<void> {
    const state = this.#state;
    const isOver = (): boolean => state.cancelled || (this.#planDone && !state.hasPending);
    const isWoken = (): boolean => state.woken && !state.suspended && state.hasPending;
    const isFull = (): boolean => this.#planDone && state.hasPending && workflowInfo().continueAsNewSuggested;
    // after each suspend and resume, so that what is stored ends as what holds, whoever stores beside
    const isUnrecorded = (): boolean => state.controlled || this.#recorded !== this.#recordable();
    while (!isOver()) {
      if (isUnrecorded()) await this.#record();
      const stirred = (): boolean => isOver() || isWoken() || isFull() || isUnrecorded();
      const deadline = state.nextDeadline;
      // a deadline that appears or moves is a reason to sleep anew
      const isMoved = (): boolean => state.nextDeadline !== deadline;
      if (deadline === undefined) await condition(() => stirred() || isMoved());
      else if (deadline > Date.now()) {
        const summary = `deadline of ${state.pendingIndexes.length} pending items`;
        await condition(() => stirred() || isMoved(), deadline - Date.now(), { summary });
      }
      if (isOver()) return;
      const isDue = state.dueAt(Date.now()).length > 0;
      if (isWoken() || (isDue && !state.suspended)) await this.#look();
      if (isDue && !state.cancelled) await this.#expire();
      this.#publish();
      if (isFull()) await this.#continueAsNew();
    }
  }

  /** Carries out what is ready. While suspended, the rest goes on waiting, and its deadlines run on. */
  async #look(): Promise<void> {
    const state = this.#state;
    const indexes = state.pendingIndexes;
    state.woken = false;
    try {
      const { settled, result, ready, lookAgain } = await this.#activities.look({ ...this.#id, indexes });
      state.replace(settled, result.tally, result.pending);
      for (const stage of ready) await this.#carryOutStage(stage, 'leave', (chunk) => this.#applyReady(chunk));
      const isStuck = lookAgain || ready.flat(2).some((index) => state.isPending(index));
      if (!isStuck || state.suspended || state.cancelled) return;
      // Another batch is carrying them out with its own, or what they need has gone again: nobody may tell.
      state.woken = true;
      const isIdle = indexes.every((index) => state.isPending(index));
      if (isIdle) await sleep(CLAIMED_RETRY_MS, { summary: 'pending items are being carried out by another batch' });
    } catch (error) {
      this.#giveUpPending(indexes, error);
    }
  }

  async #applyReady(indexes: readonly number[]): Promise<void> {
    try {
      const { tally, pending } = await this.#activities.applyItems({ ...this.#id, indexes });
      this.#state.replace(indexes, tally, pending);
    } catch (error) {
      this.#giveUpPending(indexes, error);
    }
  }

  async #expire(): Promise<void> {
    const state = this.#state;
    const asOf = Date.now();
    const due = state.dueAt(asOf);
    if (due.length === 0) return;
    try {
      const { tally, pending } = await this.#activities.expireItems({ ...this.#id, indexes: due, asOf });
      state.replace(due, tally, pending);
      if (pending.length > 0)
        await sleep(CLAIMED_RETRY_MS, { summary: 'due items are being carried out by another batch' });
    } catch (error) {
      this.#giveUpPending(due, error);
    }
  }

  /** A bug of ours: finishing gives these items their outcome. */
  #giveUpPending(indexes: readonly number[], error: unknown): void {
    this.#expectActivityFailure(error, 'waiting failed');
    this.#state.giveUp(indexes);
  }

  #expectActivityFailure(error: unknown, what: string): void {
    if (!(error instanceof ActivityFailure)) throw error;
    log.error(what, { batchId: this.#input.batchId, cause: error.cause?.message });
  }

  async #finish(): Promise<BatchSummary> {
    const { operation, run } = this.#input;
    const { cancelled, cascaded } = this.#state;
    // of a delete, and of the runs before a retry, what is stored has more to tell
    const succeeded = isWrite(operation) && run === 1 ? this.#state.succeeded : undefined;
    const summary = await this.#activities.finish({
      ...this.#id,
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
      await this.#activities.record({
        ...this.#id,
        status: status === 'waiting' ? 'waiting' : 'processing',
        suspended,
      });
    } catch (error) {
      this.#expectActivityFailure(error, 'its state could not be stored');
    }
  }

  #recordable(): string {
    const { status, suspended } = this.#state.summary();
    return `${status === 'waiting' && this.#planDone ? 'waiting' : 'processing'}${suspended ? ' suspended' : ''}`;
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
    return continueAsNew<typeof batchWorkflow>({ ...this.#input, carried: this.#state.carry(this.#cursor) });
  }
}
