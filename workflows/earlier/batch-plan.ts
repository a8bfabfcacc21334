import { condition, patched } from '@temporalio/workflow';
import type { BatchState } from '../batch-state.ts';
import type { CarriedPlan, CarriedState, Plan, Work } from '../messages.ts';
import type { BatchWork } from './batch-work.ts';

/** The plan of a batch: it is made part by part, and each part is run stage after stage. */
export class BatchPlan {
  readonly #work: BatchWork;
  readonly #state: BatchState;
  readonly #continueAsNew: () => Promise<never>;
  /** The cursor that the current part was planned from, and the one from which planning continues. */
  #plannedFrom = 0;
  #cursor: number | undefined;
  readonly #stages: Work[][];
  #isDone: boolean;
  #isResting = false;
  /** The references by which the current part was planned; undefined if they are not known. */
  #links: string | undefined;
  /** These references have changed: the remaining work is planned again. */
  #isOutdated: boolean;
  /** Number of consecutive plans that were not made because the batch is suspended or cancelled. */
  #plansLeft = 0;

  constructor(
    work: BatchWork,
    state: BatchState,
    carried: CarriedState | undefined,
    continueAsNew: () => Promise<never>,
  ) {
    this.#work = work;
    this.#state = state;
    this.#continueAsNew = continueAsNew;
    this.#cursor = carried === undefined ? 0 : carried.cursor;
    let stages = carried?.stages ?? [];
    // if a worker of an earlier version continues this execution, it ignores `left` and plans the part again
    if (carried?.left !== undefined && patched('takes-up-what-is-planned')) {
      this.#plannedFrom = carried.cursor ?? 0;
      this.#cursor = carried.left.next;
      stages = carried.left.stages;
    }
    this.#links = carried?.left?.links;
    this.#isOutdated = carried?.isAgain ?? false;
    this.#stages = stages.map((stage) => [...stage]);
    this.#isDone = this.#cursor === undefined && this.#stages.length === 0;
  }

  /** Nothing is planned, or left to plan, any more. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** The rest of the plan waits for the next execution. */
  get isResting(): boolean {
    return this.#isResting;
  }

  /** The state that the next execution continues with. */
  carry(): CarriedPlan {
    const again = this.#isOutdated ? { isAgain: true as const } : {};
    if (this.#stages.length === 0) return this.#cursor === undefined ? {} : { cursor: this.#cursor, ...again };
    const next = this.#cursor === undefined ? {} : { next: this.#cursor };
    const links = this.#links === undefined ? {} : { links: this.#links };
    return { cursor: this.#plannedFrom, left: { stages: this.#stages, ...next, ...links } };
  }

  /** Plans and runs part after part, stage after stage; stops if the history is long. */
  async carryOut(): Promise<void> {
    while (!this.#state.cancelled) {
      const [stage] = this.#stages;
      if (stage === undefined && this.#cursor === undefined) break;
      if (this.#work.isFull) {
        this.#isResting = true;
        return;
      }
      if (stage !== undefined) await this.#carryOutPlanned(stage);
      else if (this.#cursor !== undefined) await this.#planOn(this.#cursor);
    }
    this.#isDone = true;
  }

  async #carryOutPlanned(stage: Work[]): Promise<void> {
    await this.#work.runStage(stage, 'wait', (work) => this.#carryOutWork(work));
    // Items that became pending have registered: now they are checked (invariant 5).
    this.#state.woken = true;
    if (this.#isOutdated) this.#dropPlan();
    if (stage.length > 0) return;
    this.#stages.shift();
    const isPartDone = this.#stages.length === 0 && this.#cursor !== undefined;
    if (isPartDone && this.#work.isLong && !this.#work.isFull) await this.#continueAsNew();
  }

  /** The remaining work is in no stage any more: it is queued, and planned again from the beginning of this part. */
  #dropPlan(): void {
    this.#stages.length = 0;
    this.#cursor = this.#plannedFrom;
  }

  /** Adopts the next part of the plan. */
  async #planOn(cursor: number): Promise<void> {
    const plan: Plan | null = await this.#planNext(cursor);
    this.#state.started = true;
    if (plan?.isLeft) {
      this.#plansLeft += 1;
      await this.#work.untilDelivered(this.#plansLeft);
      const state = this.#state;
      if (state.suspended) await condition(() => !state.suspended || state.cancelled || this.#work.wantsRest);
      return;
    }
    this.#plansLeft = 0;
    this.#isOutdated = false;
    this.#links = plan?.links;
    this.#plannedFrom = cursor;
    this.#cursor = plan?.next;
    if (plan === null) return;
    this.#state.add(plan.tally);
    this.#stages.push(...plan.stages.map((stage) => [...stage]));
  }

  async #planNext(cursor: number): Promise<Plan | null> {
    try {
      const again = this.#isOutdated ? { isAgain: true as const } : {};
      return await this.#work.activities.plan({ ...this.#work.id, cursor, ...again }, false);
    } catch (error) {
      this.#work.expectActivityFailure(error, 'planning failed');
      return null;
    }
  }

  /** @returns the work that has not begun. */
  async #carryOutWork(work: Work): Promise<Work | null> {
    const { activities, id } = this.#work;
    try {
      if (work.kind === 'step') {
        const step = await activities.deleteStep({ ...id, step: work.step }, work.items);
        if (step.isLeft) return work;
        this.#state.add(step.tally, step.pending, step.cascaded);
        return null;
      }
      const links = this.#links === undefined ? {} : { links: this.#links };
      const result = await activities.applyItems({ ...id, indexes: work.indexes, ...links });
      const { tally, pending, hasWaited, left = [] } = result;
      this.#state.add(tally, pending);
      if (hasWaited) this.#state.hasWaited = true;
      if (result.isOutdated) {
        this.#isOutdated = true;
        // no more of this plan is started
        for (const stage of this.#stages) stage.length = 0;
        return null;
      }
      return left.length > 0 ? { kind: 'items', indexes: left } : null;
    } catch (error) {
      // The items stay queued here; finishing gives them their outcome.
      this.#work.expectActivityFailure(error, 'work failed');
      return null;
    }
  }
}
