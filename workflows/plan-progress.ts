import type { CarriedPlan, Plan, Work } from './messages.ts';

/** Pause after activities have left their work because the batch is stored as suspended or cancelled, in ms: the first and the longest. */
const HALTED_RETRY_MS = 250;
const MAX_HALTED_RETRY_MS = 10_000;

/**
 * Progress in the plan of a batch, which is made part by part; each part is applied stage by stage. Nothing here calls Temporal.
 */
export class PlanProgress {
  /** Where the current part was planned from, and where planning continues after it. */
  #plannedFrom: number;
  #cursor: number | undefined;
  #stages: Work[][];
  /** Running activities of the first stage. */
  #applying = 0;
  #isPlanning = false;
  /** The references that the part was planned by; undefined if that is not known. */
  #links: string | undefined;
  /** These references have changed: the rest is planned again. */
  #isOutdated: boolean;
  /** How often in a row work was left because the batch is stored as suspended or cancelled, and when to try again. */
  #halted = 0;
  #notBefore = 0;

  constructor(carried: CarriedPlan | undefined) {
    // state carried by an earlier version has `stages` and no `left`
    const stages = carried?.left?.stages ?? carried?.stages ?? [];
    this.#plannedFrom = carried?.left === undefined ? 0 : (carried.cursor ?? 0);
    this.#cursor = carried === undefined ? 0 : carried.left === undefined ? carried.cursor : carried.left.next;
    this.#links = carried?.left?.links;
    this.#isOutdated = carried?.isAgain ?? false;
    this.#stages = stages.filter((stage) => stage.length > 0).map((stage) => [...stage]);
  }

  /** All parts are planned and applied. */
  get isDone(): boolean {
    return this.#cursor === undefined && this.#stages.length === 0 && !this.#isPlanning;
  }

  /** The next work that may begin: a stage begins when the one before it is done. */
  get nextWork(): Work | undefined {
    return this.#stages[0]?.[0];
  }

  /** Where to plan the next part, once all stages are done. */
  get planFrom(): number | undefined {
    return this.#stages.length === 0 && !this.#isPlanning ? this.#cursor : undefined;
  }

  /** No work begins before, in ms since 1970: activities have left work because of a control request whose signal is still on its way. */
  get notBefore(): number {
    return this.#notBefore;
  }

  get links(): string | undefined {
    return this.#links;
  }

  get isOutdated(): boolean {
    return this.#isOutdated;
  }

  /** The signal of a control request has come. */
  controlled(): void {
    this.#notBefore = 0;
  }

  beginPlan(): void {
    this.#isPlanning = true;
  }

  /** @param plan null if there is nothing to do any more, or planning has failed for good. */
  planned(plan: Plan | null, now: number): void {
    this.#isPlanning = false;
    if (plan?.isLeft) {
      this.#halt(now);
      return;
    }
    this.#halted = 0;
    this.#isOutdated = false;
    this.#links = plan?.links;
    this.#plannedFrom = this.#cursor ?? 0;
    this.#cursor = plan?.next;
    this.#stages = (plan?.stages ?? []).filter((stage) => stage.length > 0).map((stage) => [...stage]);
  }

  /** Takes the next work of the stage. */
  begin(): void {
    this.#stages[0]?.shift();
    this.#applying += 1;
  }

  /**
   * An activity has ended.
   * @param left the work that it has not begun.
   * @returns whether the stage is done.
   */
  applied(left: Work | null, now: number): boolean {
    this.#applying -= 1;
    if (left === null) this.#halted = 0;
    else if (!this.#isOutdated) {
      this.#stages[0]?.unshift(left);
      this.#halt(now);
    }
    const isStageDone = this.#applying === 0 && this.#stages[0]?.length === 0;
    if (isStageDone) this.#nextStage();
    return isStageDone;
  }

  /** References have changed since the part was planned: no more of it begins, and it is planned again when its running work has ended. */
  outdated(): void {
    this.#isOutdated = true;
    this.#stages = this.#stages.length === 0 ? [] : [[]];
  }

  #nextStage(): void {
    this.#stages.shift();
    if (!this.#isOutdated) return;
    this.#stages = [];
    this.#cursor = this.#plannedFrom;
  }

  #halt(now: number): void {
    this.#halted += 1;
    this.#notBefore = now + Math.min(HALTED_RETRY_MS * 2 ** (this.#halted - 1), MAX_HALTED_RETRY_MS);
  }

  /** The state for the next execution; no activity may be running. */
  carry(): CarriedPlan {
    const again = this.#isOutdated ? { isAgain: true as const } : {};
    if (this.#stages.length === 0) return this.#cursor === undefined ? {} : { cursor: this.#cursor, ...again };
    const next = this.#cursor === undefined ? {} : { next: this.#cursor };
    const links = this.#links === undefined ? {} : { links: this.#links };
    return { cursor: this.#plannedFrom, left: { stages: this.#stages, ...next, ...links } };
  }
}
