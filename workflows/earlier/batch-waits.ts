import { condition, sleep } from '@temporalio/workflow';
import { counted } from '../../domain/counted.ts';
import type { BatchState } from '../batch-state.ts';
import type { BatchPlan } from './batch-plan.ts';
import type { BatchWork } from './batch-work.ts';

/** Pause before items are checked again that another batch is applying, in ms. */
const CLAIMED_RETRY_MS = 500;

/** The functions of the workflow that its pending items need. */
interface Rest {
  /** The state that is stored differs from the state of the workflow. */
  isUnrecorded(): boolean;
  record(): Promise<void>;
  publish(): void;
  continueAsNew(): Promise<never>;
}

/** The pending items of a batch: checked when a hint comes, applied when their references exist, expired when they are due. */
export class BatchWaits {
  readonly #work: BatchWork;
  readonly #plan: BatchPlan;
  readonly #state: BatchState;
  readonly #rest: Rest;

  constructor(work: BatchWork, plan: BatchPlan, state: BatchState, rest: Rest) {
    this.#work = work;
    this.#plan = plan;
    this.#state = state;
    this.#rest = rest;
  }

  /** Sleeps until a hint or a deadline comes, then checks, applies ready items, and expires due items. */
  async watch(): Promise<void> {
    const state = this.#state;
    const rest = this.#rest;
    const isOver = (): boolean => state.cancelled || (this.#plan.isDone && !state.hasPending);
    const isWoken = (): boolean => state.woken && !state.suspended && state.hasPending;
    const isFull = (): boolean =>
      (this.#plan.isResting || (this.#plan.isDone && state.hasPending)) && this.#work.isLong;
    while (!isOver()) {
      if (rest.isUnrecorded()) await rest.record();
      const stirred = (): boolean => isOver() || isWoken() || isFull() || rest.isUnrecorded();
      const deadline = state.nextDeadline;
      // a deadline that appears or moves is a reason to sleep anew
      const isMoved = (): boolean => state.nextDeadline !== deadline;
      if (deadline === undefined) await condition(() => stirred() || isMoved());
      else if (deadline > Date.now()) {
        const summary = `deadline of ${counted(state.dueAt(deadline).length, 'pending item')}`;
        await condition(() => stirred() || isMoved(), deadline - Date.now(), { summary });
      }
      if (isOver()) return;
      const isDue = state.dueAt(Date.now()).length > 0;
      if (isWoken() || (isDue && !state.suspended)) await this.#check();
      if (isDue && !state.cancelled) await this.#expire();
      rest.publish();
      if (isFull()) await rest.continueAsNew();
    }
  }

  /** Applies ready items. While the batch is suspended the others keep waiting, and their deadlines run on. */
  async #check(): Promise<void> {
    const state = this.#state;
    const indexes = state.pendingIndexes;
    state.woken = false;
    try {
      const { settled, result, ready, lookAgain } = await this.#work.activities.check({ ...this.#work.id, indexes });
      state.replace(settled, result.tally, result.pending);
      for (const stage of ready) await this.#work.runStage([...stage], 'leave', (chunk) => this.#applyReady(chunk));
      const isStuck = lookAgain || ready.flat(2).some((index) => state.isPending(index));
      if (!isStuck || state.suspended || state.cancelled) return;
      // another batch applies them together with its own, or a resource they need was deleted again: no signal may come
      state.woken = true;
      const isIdle = indexes.every((index) => state.isPending(index));
      if (isIdle) await sleep(CLAIMED_RETRY_MS, { summary: 'another batch is applying pending items' });
    } catch (error) {
      this.#requeue(indexes, error);
    }
  }

  /** @returns what was not begun: it is pending as before. */
  async #applyReady(indexes: number[]): Promise<number[] | null> {
    const { activities, id } = this.#work;
    try {
      const { tally, pending, left = [] } = await activities.applyItems({ ...id, indexes, requeuesBlocked: true });
      const kept = new Set(left);
      this.#state.replace(
        indexes.filter((index) => !kept.has(index)),
        tally,
        pending,
      );
      return left.length > 0 ? [...left] : null;
    } catch (error) {
      this.#requeue(indexes, error);
      return null;
    }
  }

  async #expire(): Promise<void> {
    const state = this.#state;
    const asOf = Date.now();
    const due = state.dueAt(asOf);
    if (due.length === 0) return;
    try {
      const { tally, pending } = await this.#work.activities.expireItems({ ...this.#work.id, indexes: due, asOf });
      state.replace(due, tally, pending);
      if (pending.length > 0) await sleep(CLAIMED_RETRY_MS, { summary: 'another batch is applying due items' });
    } catch (error) {
      this.#requeue(due, error);
    }
  }

  /** A check has failed because of a bug: finishing gives these items their outcome. */
  #requeue(indexes: readonly number[], error: unknown): void {
    this.#work.expectActivityFailure(error, 'waiting failed');
    this.#state.requeue(indexes);
  }
}
