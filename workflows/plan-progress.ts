import type { CarriedPlan, Plan, Work } from './messages.ts';

/** After activities have left their work because the batch is suspended or cancelled, in ms: first pause, and longest. */
const HALTED_RETRY_MS = 250;
const MAX_HALTED_RETRY_MS = 10_000;

/**
 * How far the plan of a batch is: it is made part by part, and each part is applied stage after stage. Nothing here touches
 * Temporal.
 */
export class PlanProgress {
  /** Where the part was planned from whose stages are at work, and where planning goes on after them. */
  #plannedFrom: number;
  #cursor: number | undefined;
  #stages: Work[][];
  /** Work of the first stage that an activity does now. */
  #applying = 0;
  #isPlanning = false;
  /** By which references the part was planned; undefined where that is not known. */
  #links: string | undefined;
  /** These have changed: what is left is planned again. */
  #isOutdated: boolean;
  /** How often in a row work was left because the batch is stored as suspended or cancelled, and not before when to try again. */
  #halted = 0;
  #notBefore = 0;

  constructor(carried: CarriedPlan | undefined) {
    // what an earlier version has carried has stages, and no `left`
    const stages = carried?.left?.stages ?? carried?.stages ?? [];
    this.#plannedFrom = carried?.left === undefined ? 0 : (carried.cursor ?? 0);
    this.#cursor = carried === undefined ? 0 : carried.left === undefined ? carried.cursor : carried.left.next;
    this.#links = carried?.left?.links;
    this.#isOutdated = carried?.isAgain ?? false;
    this.#stages = stages.filter((stage) => stage.length > 0).map((stage) => [...stage]);
  }

  /** Nothing is planned, or left to plan, any more. */
  get isDone(): boolean {
    return this.#cursor === undefined && this.#stages.length === 0 && !this.#isPlanning;
  }

  /** The next work that may begin; what the stages before it have left comes first. */
  get nextWork(): Work | undefined {
    return this.#stages[0]?.[0];
  }

  /** Where to plan on, once every stage is done. */
  get planFrom(): number | undefined {
    return this.#stages.length === 0 && !this.#isPlanning ? this.#cursor : undefined;
  }

  /** Nothing is begun before, in ms since 1970: activities have left their work, and the signal that says why is on its way. */
  get notBefore(): number {
    return this.#notBefore;
  }

  get links(): string | undefined {
    return this.#links;
  }

  get isOutdated(): boolean {
    return this.#isOutdated;
  }

  /** The signal has come. */
  controlled(): void {
    this.#notBefore = 0;
  }

  beginPlan(): void {
    this.#isPlanning = true;
  }

  /** @param plan null where there is nothing to do any more, or planning has failed. */
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
   * An activity has done its work, but for what it has left.
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

  /** References have changed since the part was planned: no more of it begins, and it is planned again when all of it has ended. */
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

  /** What the next execution goes on with; nothing may be at work. */
  carry(): CarriedPlan {
    const again = this.#isOutdated ? { isAgain: true as const } : {};
    if (this.#stages.length === 0) return this.#cursor === undefined ? {} : { cursor: this.#cursor, ...again };
    const next = this.#cursor === undefined ? {} : { next: this.#cursor };
    const links = this.#links === undefined ? {} : { links: this.#links };
    return { cursor: this.#plannedFrom, left: { stages: this.#stages, ...next, ...links } };
  }
}
