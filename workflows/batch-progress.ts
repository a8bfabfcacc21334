import { isWrite } from '../domain/batch/batch.ts';
import type { ImportReport } from '../domain/imports/import.ts';
import { BatchState } from './batch-state.ts';
import type {
  BatchInput,
  CarriedState,
  CheckResult,
  DeletionResult,
  Plan,
  SmallBatchResult,
  Work,
  WorkResult,
} from './messages.ts';
import type { Situation } from './next-step.ts';
import { PlanProgress } from './plan-progress.ts';

/**
 * How many activities of one batch may apply items at the same time: enough to keep a worker busy, few enough for suspend and cancel to
 * take effect (a batch of 10,000 items has ten in all) and for other batches to run. Activities that end executions mostly wait.
 */
const CONCURRENCY_LIMITS = { upload: 4, patch: 4, delete: 4, undo: 4, terminate: 8 } as const;
/** The same for uploads and patches that an earlier version has started. */
const EARLIER_WRITE_LIMIT = 3;

/** A batch of at most so many items is run by one activity, inside the first workflow task: the task costs more than the items. */
const MAX_ITEMS_AT_ONCE = 25;

/** Whether the first activity of a batch is a local one: `planBatch`, or all of it. */
const beginsLocally = ({ version, operation, run, carried }: BatchInput): boolean =>
  version !== undefined && isWrite(operation) && run === 1 && carried === undefined;

/** Pause before items are checked or expired again that another batch is applying, in ms. */
const CLAIMED_RETRY_MS = 500;

/**
 * The whole state of a batch workflow, and how the result of each step changes it. Nothing here calls Temporal: `nextStep` decides by the
 * `situation`, and the workflow runs the step and reports its begin and its result here.
 */
export class BatchProgress {
  readonly state: BatchState;
  readonly plan: PlanProgress;
  /** Running activities. A step counts from its begin until its result is reported; one that calls a local activity counts twice. */
  readonly running = { local: 0, plan: 0, apply: 0, check: 0, expire: 0, store: 0 };
  readonly #concurrencyLimit: number;
  /** The state that was stored last. */
  #stored: string;
  readonly #check = new CheckProgress();
  #expireNotBefore = 0;
  #isNew: boolean;
  readonly #isSmall: boolean;
  readonly #startAt: number | undefined;
  /** Whether it is a batch of an import, and the latest round of checks that it has reported. */
  readonly #isOfImport: boolean;
  #reportedRound = 0;

  constructor(input: BatchInput) {
    this.state = new BatchState(input);
    this.plan = new PlanProgress(input.carried);
    const { version, operation } = input;
    this.#concurrencyLimit =
      version === undefined && isWrite(operation) ? EARLIER_WRITE_LIMIT : CONCURRENCY_LIMITS[operation];
    this.#isNew = beginsLocally(input);
    this.#isOfImport = input.ofImport !== undefined;
    this.#isSmall = input.total <= MAX_ITEMS_AT_ONCE;
    this.#startAt = input.startAt;
    this.#stored = input.carried === undefined ? 'processing' : this.#toStore();
  }

  /** Nothing of the batch has begun, and it begins by a local activity. */
  get isNew(): boolean {
    return this.#isNew;
  }

  situation(isLong: boolean): Situation {
    const { state, plan, running } = this;
    const check = this.#check;
    return {
      cancelled: state.cancelled,
      suspended: state.suspended,
      isCancelStored: state.isCancelStored,
      // after each suspend and resume too, so that the last value stored is the current one, even if an API process stores at the same time
      isUnrecorded: state.controlled || this.#stored !== this.#toStore() || this.#owesReport,
      isNew: this.#isNew,
      startAt: this.#startAt,
      isSmall: this.#isSmall,
      isLong,
      concurrencyLimit: this.#concurrencyLimit,
      running,
      plan,
      pending: {
        count: state.pendingCount,
        get indexes() {
          return state.pendingIndexes;
        },
        get nextDeadline() {
          return state.nextDeadline;
        },
        dueAt: (moment) => state.dueAt(moment),
        woken: state.woken,
        nextReady: check.nextReady,
        isChecking: check.isOpen,
        checkedAt: check.checkedAt,
        checkNotBefore: check.notBefore,
        expireNotBefore: this.#expireNotBefore,
      },
    };
  }

  /** Its import has asked for a round of checks, which is complete: what could be applied is applied. */
  get #owesReport(): boolean {
    const { state, running } = this;
    const isChecking = state.woken || this.#check.isOpen || running.apply + running.check + running.expire > 0;
    return this.#isOfImport && state.round > this.#reportedRound && !isChecking;
  }

  /** What its import is told: nothing while items are left that do not wait. */
  get report(): ImportReport | undefined {
    const { counts, actions, errorCodes, status } = this.state.summary();
    const onlyWaits = this.#isOfImport && status === 'waiting' && this.plan.isDone;
    return onlyWaits ? { counts, actions, errorCodes, round: this.#reportedRound } : undefined;
  }

  suspend(token?: string): void {
    this.state.suspend(token);
    this.plan.controlled();
    this.#check.drop();
    this.#endCheck(0);
  }

  resume(token?: string): void {
    this.state.resume(token);
    this.plan.controlled();
  }

  cancel(token?: string): void {
    this.state.cancel(token);
    this.plan.controlled();
  }

  /** The state is about to be stored. A batch counts as started then, even if it was suspended before its first plan. */
  beginStore(): void {
    if (this.#owesReport) this.#reportedRound = this.state.round;
    this.state.started = true;
    this.#stored = this.#toStore();
    this.state.controlled = false;
  }

  planned(plan: Plan | null, now: number): void {
    this.state.started = true;
    if (plan !== null && !plan.isLeft) this.state.add(plan.tally);
    this.plan.planned(plan, now);
  }

  beginPlan(): void {
    if (this.#isNew) this.state.started = true;
    this.#isNew = false;
    this.plan.beginPlan();
  }

  /** @param made null if the activity has failed for good. */
  ranSmall(made: SmallBatchResult | null, now: number): void {
    this.planned(made?.plan ?? null, now);
    const work = this.plan.nextWork;
    if (made?.applied === undefined || work === undefined) return;
    this.plan.begin();
    this.applied(work, made.applied, now);
  }

  /** @param result null if the activity has failed for good: its items stay queued, and finishing the batch gives them an outcome. */
  applied(work: Work, result: WorkResult | DeletionResult | null, now: number): void {
    const left = result === null ? null : this.#countApplied(work, result);
    // items that became pending are registered now, so that they can be checked (invariant 5)
    if (this.plan.applied(left, now)) this.state.woken = true;
  }

  #countApplied(work: Work, result: WorkResult | DeletionResult): Work | null {
    if (work.kind === 'step') {
      const step = result as DeletionResult; // `deleteResources` runs steps
      if (step.isLeft) return work;
      this.state.add(step.tally, step.pending, step.cascaded);
      return null;
    }
    const { tally, pending, hasWaited, isOutdated, left = [] } = result as WorkResult;
    this.state.add(tally, pending);
    if (hasWaited) this.state.hasWaited = true;
    if (isOutdated) this.plan.outdated();
    return left.length > 0 && !isOutdated ? { kind: 'items', indexes: left } : null;
  }

  beginCheck(now: number): void {
    this.state.woken = false;
    this.#check.begin(this.state.pendingIndexes, now);
  }

  /** @param found null if the activity has failed for good. */
  checked(found: CheckResult | null, now: number): void {
    if (found === null) {
      this.state.requeue(this.#check.indexes);
      this.#check.found([], false);
    } else {
      this.state.replace(found.settled, found.result.tally, found.result.pending);
      this.#check.found(this.state.suspended ? [] : found.ready, found.lookAgain);
    }
    this.#endCheck(now);
  }

  beginReady(): void {
    this.#check.beginReady();
  }

  /** Ready items have been applied, except for those that the activity has left. */
  appliedPending(indexes: readonly number[], result: WorkResult | null, now: number): void {
    if (result === null) this.state.requeue(indexes);
    else {
      const left = new Set(result.left);
      const applied = indexes.filter((index) => !left.has(index));
      this.state.replace(applied, result.tally, result.pending);
      if (left.size > 0) this.#check.drop();
    }
    this.#check.endReady();
    this.#endCheck(now);
  }

  expired(indexes: readonly number[], result: WorkResult | null, now: number): void {
    if (result === null) {
      this.state.requeue(indexes);
      return;
    }
    this.state.replace(indexes, result.tally, result.pending);
    if (result.pending.length === 0) return;
    this.#expireNotBefore = now + CLAIMED_RETRY_MS;
    this.state.woken = true;
  }

  /** Once all ready items of a check are applied: if some of them are still pending, they are checked again without waiting for a hint. */
  #endCheck(now: number): void {
    const check = this.#check;
    const { state } = this;
    if (!check.endIfDone() || state.suspended || state.cancelled) return;
    if (!check.lookAgain && !check.ready.some((index) => state.isPending(index))) return;
    // another batch applies them together with its own, or a resource they need was deleted again: no signal may come
    state.woken = true;
    if (check.indexes.every((index) => state.isPending(index))) check.notBefore = now + CLAIMED_RETRY_MS;
  }

  carry(): CarriedState {
    return { ...this.state.carry(), ...this.plan.carry() };
  }

  #toStore(): string {
    const { status, suspended } = this.state.summary();
    return `${status === 'waiting' && this.plan.isDone ? 'waiting' : 'processing'}${suspended ? ' suspended' : ''}`;
  }
}

/** The state of a check of pending items, and of the ready items that it has found, by stage. */
class CheckProgress {
  /** The items that it checks. */
  indexes: readonly number[] = [];
  /** All items that it has found ready. */
  ready: readonly number[] = [];
  lookAgain = false;
  /** When the last finished check began, in ms since 1970. */
  checkedAt = 0;
  notBefore = 0;
  #stages: number[][][] = [];
  #applying = 0;
  #began: number | undefined;
  #isAnswered = false;

  get isOpen(): boolean {
    return this.#began !== undefined;
  }

  get nextReady(): readonly number[] | undefined {
    return this.#stages[0]?.[0];
  }

  begin(indexes: readonly number[], now: number): void {
    this.indexes = indexes;
    this.#began = now;
    this.#isAnswered = false;
  }

  found(stages: CheckResult['ready'], lookAgain: boolean): void {
    this.#isAnswered = true;
    this.lookAgain = lookAgain;
    this.ready = stages.flat(2);
    this.#stages = stages.filter((stage) => stage.length > 0).map((stage) => stage.map((chunk) => [...chunk]));
  }

  beginReady(): void {
    this.#stages[0]?.shift();
    this.#applying += 1;
  }

  endReady(): void {
    this.#applying -= 1;
    if (this.#applying === 0 && this.#stages[0]?.length === 0) this.#stages.shift();
  }

  /** Ready items that have not begun stay pending. */
  drop(): void {
    this.#stages = [];
  }

  /** @returns true when the answer is here and all ready items are applied; the check is over then. */
  endIfDone(): boolean {
    if (this.#began === undefined || !this.#isAnswered || this.#applying > 0 || this.#stages.length > 0) return false;
    this.checkedAt = this.#began;
    this.#began = undefined;
    return true;
  }
}
