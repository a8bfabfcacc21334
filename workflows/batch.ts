import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  ActivityFailure,
  CancellationScope,
  condition,
  continueAsNew,
  log,
  patched,
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
/**
 * An activity that finds its batch suspended or cancelled leaves its items, and the signal that says so is on its way. Wait before
 * they are tried again without one, in ms: at first, and at most.
 */
const HALTED_RETRY_MS = 250;
const MAX_HALTED_RETRY_MS = 10_000;

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
  setHandler(suspendSignal, (asked) => state.suspend(asked));
  setHandler(resumeSignal, (asked) => state.resume(asked));
  setHandler(cancelSignal, (asked) => state.cancel(asked));
  // A cancellation requested in the Temporal UI is the same.
  CancellationScope.current().cancelRequested.catch(() => state.cancel());
}

class BatchRun {
  readonly #input: BatchInput;
  readonly #state: BatchState;
  readonly #activities;
  readonly #id: { readonly batchId: string; readonly run: number; readonly keepsLeft: true };
  /** Where planning goes on, and what is planned and left to do. */
  #cursor: number | undefined;
  readonly #stages: Work[][];
  #planDone: boolean;
  /** What is left of the plan waits for the next execution. */
  #isResting = false;
  /** Whether this execution may continue as new in the middle of its plan: those of an earlier version do not. */
  #mayRest: boolean | undefined;
  /** Plans in a row that were not made because the batch is suspended or cancelled. */
  #plansLeft = 0;
  /** Activities at work on items. */
  #atWork = 0;
  #published: string;
  #recorded = 'processing';

  constructor(input: BatchInput, state: BatchState) {
    this.#input = input;
    this.#state = state;
    this.#activities = batchActivities(input);
    this.#id = { batchId: input.batchId, run: input.run, keepsLeft: true };
    this.#cursor = input.carried === undefined ? 0 : input.carried.cursor;
    this.#stages = (input.carried?.stages ?? []).map((stage) => [...stage]);
    this.#planDone = this.#cursor === undefined && this.#stages.length === 0;
    // as it was started
    this.#published = input.carried === undefined ? 'queued' : '';
    if (input.carried !== undefined) this.#recorded = this.#recordable();
  }

  async carryOut(): Promise<BatchSummary> {
    this.#publish();
    void this.#storeCancel();
    await Promise.all([this.#carryOutPlan(), this.#watchPending()]);
    return this.#finish();
  }

  /** Plans and carries out part after part, stage after stage; rests where the history is long. */
  async #carryOutPlan(): Promise<void> {
    while (!this.#state.cancelled) {
      const [stage] = this.#stages;
      if (stage === undefined && this.#cursor === undefined) break;
      if (this.#isFull()) {
        this.#isResting = true;
        return;
      }
      if (stage !== undefined) await this.#carryOutPlanned(stage);
      else if (this.#cursor !== undefined) await this.#planOn(this.#cursor);
    }
    this.#planDone = true;
  }

  async #carryOutPlanned(stage: Work[]): Promise<void> {
    await this.#carryOutStage(stage, 'wait', (work) => this.#carryOutWork(work));
    // Items that became pending have registered: now look (invariant 5).
    this.#state.woken = true;
    if (stage.length > 0) return;
    this.#stages.shift();
    const isPartDone = this.#stages.length === 0 && this.#cursor !== undefined;
    if (isPartDone && workflowInfo().continueAsNewSuggested && !this.#isFull()) await this.#continueAsNew();
  }

  /** Takes up the next part of the plan. */
  async #planOn(cursor: number): Promise<void> {
    const plan: Plan | null = await this.#planNext(cursor);
    this.#state.started = true;
    if (plan?.isLeft) {
      this.#plansLeft += 1;
      await this.#untilTold(this.#plansLeft);
      const state = this.#state;
      if (state.suspended) await condition(() => !state.suspended || state.cancelled || this.#wantsRest());
      return;
    }
    this.#plansLeft = 0;
    this.#cursor = plan?.next;
    if (plan === null) return;
    this.#state.add(plan.tally);
    this.#stages.push(...plan.stages.map((stage) => [...stage]));
  }

  /** The server wants a new execution, and this one may begin it before its plan is done. */
  #isFull(): boolean {
    if (!workflowInfo().continueAsNewSuggested) return false;
    this.#mayRest ??= patched('continues-as-new-in-its-plan');
    return this.#mayRest;
  }

  /** As `#isFull`, but for an execution of which that is not decided yet. */
  #wantsRest(): boolean {
    return workflowInfo().continueAsNewSuggested && this.#mayRest !== false;
  }

  /**
   * Activities have left items because the batch is suspended or cancelled, as it is stored: the signal is on its way, or has come.
   * @param times in a row.
   */
  async #untilTold(times = 1): Promise<void> {
    const state = this.#state;
    if (state.suspended || state.cancelled) return;
    const { controls } = state;
    const waitMs = Math.min(HALTED_RETRY_MS * 2 ** (times - 1), MAX_HALTED_RETRY_MS);
    await condition(() => state.controls !== controls, waitMs, {
      summary: 'the batch is stored as suspended or cancelled: waits for the signal',
    });
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
   * @param left the work; what has been done, or failed, leaves it.
   * @param onSuspend what is left then waits here, or is left undone.
   * @param carryOut returns what it has not begun, because the batch is suspended or cancelled.
   */
  async #carryOutStage<T>(
    left: T[],
    onSuspend: 'wait' | 'leave',
    carryOut: (work: T) => Promise<T | null>,
  ): Promise<void> {
    const state = this.#state;
    const lane = async (): Promise<void> => {
      for (let halted = 0; ; ) {
        if (state.suspended && onSuspend === 'leave') return;
        // not one await more than there was: the order of commands is that of recorded histories
        if (state.suspended) await condition(() => !state.suspended || state.cancelled || this.#wantsRest());
        if (state.cancelled || (onSuspend === 'wait' && this.#isFull())) return;
        if (state.suspended) continue;
        const work = left.shift();
        if (work === undefined) return;
        this.#atWork += 1;
        const rest = await carryOut(work);
        this.#atWork -= 1;
        this.#publish();
        halted = rest === null ? 0 : halted + 1;
        if (rest === null) continue;
        left.unshift(rest);
        if (onSuspend === 'leave') return;
        await this.#untilTold(halted);
      }
    };
    const width = ACTIVITIES_IN_FLIGHT[this.#input.operation];
    await Promise.all(Array.from({ length: Math.min(width, left.length) }, lane));
  }

  /** @returns what was not begun. */
  async #carryOutWork(work: Work): Promise<Work | null> {
    try {
      if (work.kind === 'step') {
        const step = await this.#activities.deleteStep({ ...this.#id, step: work.step }, work.items);
        if (step.isLeft) return work;
        this.#state.add(step.tally, step.pending, step.cascaded);
        return null;
      }
      const {
        tally,
        pending,
        hasWaited,
        left = [],
      } = await this.#activities.applyItems({
        ...this.#id,
        indexes: work.indexes,
      });
      this.#state.add(tally, pending);
      if (hasWaited) this.#state.hasWaited = true;
      return left.length > 0 ? { kind: 'items', indexes: left } : null;
    } catch (error) {
      // The items stay queued here; finishing gives them their outcome.
      this.#expectActivityFailure(error, 'work failed');
      return null;
    }
  }

  /** Sleeps until a hint or a deadline comes, then looks, carries out what is ready, and expires what is due. */
  async #watchPending(): Promise<void> {
    const state = this.#state;
    const isOver = (): boolean => state.cancelled || (this.#planDone && !state.hasPending);
    const isWoken = (): boolean => state.woken && !state.suspended && state.hasPending;
    const isFull = (): boolean =>
      (this.#isResting || (this.#planDone && state.hasPending)) && workflowInfo().continueAsNewSuggested;
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
      for (const stage of ready) await this.#carryOutStage([...stage], 'leave', (chunk) => this.#applyReady(chunk));
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

  /** @returns what was not begun: it is pending as before. */
  async #applyReady(indexes: number[]): Promise<number[] | null> {
    try {
      const { tally, pending, left = [] } = await this.#activities.applyItems({ ...this.#id, indexes });
      const kept = new Set(left);
      this.#state.replace(
        indexes.filter((index) => !kept.has(index)),
        tally,
        pending,
      );
      return left.length > 0 ? [...left] : null;
    } catch (error) {
      this.#giveUpPending(indexes, error);
      return null;
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
        asked: this.#state.asked,
      });
    } catch (error) {
      this.#expectActivityFailure(error, 'its state could not be stored');
    }
  }

  /** That a program, or somebody in the Temporal UI, has cancelled the batch: stored for activities that are at work. */
  async #storeCancel(): Promise<void> {
    const state = this.#state;
    await condition(() => state.cancelled);
    if (state.isCancelStored || this.#atWork === 0 || !patched('stores-its-cancellation')) return;
    state.isCancelStored = true;
    const { suspended, asked } = state;
    try {
      await this.#activities.record({ ...this.#id, status: 'processing', suspended, asked, cancelled: true });
    } catch (error) {
      this.#expectActivityFailure(error, 'its cancellation could not be stored');
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
    return continueAsNew<typeof batchWorkflow>({
      ...this.#input,
      carried: this.#state.carry(this.#cursor, this.#stages),
    });
  }
}
