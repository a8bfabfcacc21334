import type { BatchResult, BatchSummary } from '../domain/batch/batch.ts';
import { noActions, noCounts } from '../domain/batch/outcome.ts';
import { addTally, type Tally } from '../domain/batch/tally.ts';
import type { BatchInput, CarriedBatch, PendingGroup, PendingItem } from './messages.ts';

/**
 * The counts of a batch, and its pending items with their deadlines: numbers only (invariant 7). Nothing here calls Temporal. Counts add
 * up to the total at every moment.
 */
export class BatchState {
  readonly #counts = noCounts();
  readonly #actions = noActions();
  readonly #errorCodes: BatchSummary['errorCodes'] = {};
  /** Pending items -> deadline in ms since 1970. */
  readonly #deadlines = new Map<number, number>();
  #finished: BatchSummary | undefined;
  readonly #total: number;
  started: boolean;
  suspended: boolean;
  cancelled: boolean;
  /** The batch was suspended or resumed since its state was stored. */
  controlled = false;
  /** How often the batch was suspended, resumed or cancelled. */
  controls = 0;
  /** Token of the latest control request of an API caller that was delivered; the API has stored it before. */
  asked: string | null;
  /** The cancellation is stored. */
  isCancelStored: boolean;
  /** Items have waited, or may have in an execution before this one. */
  hasWaited: boolean;
  /** A hint has come that missing references may exist now. */
  woken = false;
  /** The latest round of checks that its import has asked for. */
  round = 0;
  /** When its import has ended the wait of its items, in ms since 1970. */
  #waitEndedAt: number | undefined;
  /** So many signals have come that this execution has to end before Temporal refuses them. */
  hasManySignals = false;

  constructor({
    total,
    suspended,
    cancelled,
    asked,
    carried,
  }: Pick<BatchInput, 'total' | 'suspended' | 'cancelled' | 'asked' | 'carried'>) {
    this.#total = total;
    this.hasWaited = carried !== undefined;
    this.#counts.queued = total;
    this.started = carried !== undefined;
    this.suspended = suspended ?? false;
    this.cancelled = cancelled ?? false;
    this.isCancelStored = this.cancelled;
    this.asked = carried?.asked ?? asked ?? null;
    if (carried === undefined) return;
    Object.assign(this.#counts, carried.summary.counts);
    Object.assign(this.#actions, carried.summary.actions);
    Object.assign(this.#errorCodes, carried.summary.errorCodes);
    this.suspended = carried.summary.suspended;
    this.cancelled = carried.cancelled;
    // a signal may have come in the last moment of the execution before: check, and store, once more (invariant 5)
    this.woken = true;
    this.controlled = true;
    this.#waitEndedAt = carried.waitEndedAt;
    this.#remember(carried.pending);
  }

  get isWaitEnded(): boolean {
    return this.#waitEndedAt !== undefined;
  }

  /** Its import wants to know whether pending items can be applied. */
  checkRound(round: number): void {
    this.round = Math.max(this.round, round);
    this.woken = true;
  }

  /** Nothing of its import can create what pending items miss: they are due now. */
  endWait(now: number): void {
    this.#waitEndedAt ??= now;
    for (const index of this.#deadlines.keys()) this.#deadlines.set(index, this.#waitEndedAt);
  }

  get cascaded(): number {
    return this.#actions.cascaded;
  }

  get hasPending(): boolean {
    return this.#deadlines.size > 0;
  }

  get pendingCount(): number {
    return this.#deadlines.size;
  }

  get pendingIndexes(): number[] {
    return [...this.#deadlines.keys()].sort((a, b) => a - b);
  }

  /** Earliest deadline in ms since 1970; undefined if no item is pending. */
  get nextDeadline(): number | undefined {
    let next: number | undefined;
    for (const deadline of this.#deadlines.values()) if (next === undefined || deadline < next) next = deadline;
    return next;
  }

  /** The result of a batch if all items have succeeded and none has ever waited; otherwise undefined. */
  get succeeded(): BatchResult | undefined {
    if (this.hasWaited || this.#counts.succeeded !== this.#total) return undefined;
    return this.#result();
  }

  isPending(index: number): boolean {
    return this.#deadlines.has(index);
  }

  dueAt(now: number): number[] {
    return this.pendingIndexes.filter((index) => (this.#deadlines.get(index) ?? 0) <= now);
  }

  /** Queued items have the outcomes that the tally counts. */
  add(tally: Tally, pending: readonly PendingGroup[] = [], cascaded = 0): void {
    this.#count(tally);
    for (const status in tally.counts) this.#counts.queued -= tally.counts[status as keyof typeof tally.counts] ?? 0;
    this.#actions.cascaded += cascaded;
    this.#remember(pending);
  }

  /** Pending items have the outcomes that the tally counts; some may still be pending. */
  replace(indexes: readonly number[], tally: Tally, pending: readonly PendingGroup[]): void {
    for (const index of indexes) if (this.#deadlines.delete(index)) this.#counts.pending -= 1;
    this.#count(tally);
    this.#remember(pending);
  }

  suspend(asked?: string): void {
    this.suspended = true;
    this.#control(asked);
  }

  resume(asked?: string): void {
    this.suspended = false;
    // resources may have appeared meanwhile, and cycles over several batches may have waited for this one
    this.woken = true;
    this.#control(asked);
  }

  cancel(asked?: string): void {
    this.cancelled = true;
    this.controls += 1;
    if (asked !== undefined) this.isCancelStored = true;
  }

  #control(asked: string | undefined): void {
    this.controlled = true;
    this.controls += 1;
    if (asked !== undefined) this.asked = asked;
  }

  /** Pending items are queued again. They are not applied any more: finishing the batch gives them an outcome. */
  requeue(indexes: readonly number[]): void {
    for (const index of indexes) {
      if (!this.#deadlines.delete(index)) continue;
      this.#counts.pending -= 1;
      this.#counts.queued += 1;
    }
  }

  finish(summary: BatchSummary): void {
    this.#finished = summary;
  }

  summary(): BatchSummary {
    if (this.#finished !== undefined) return this.#finished;
    const { queued, pending } = this.#counts;
    const until = this.nextDeadline;
    return {
      status: !this.started ? 'queued' : queued === 0 && pending > 0 ? 'waiting' : 'processing',
      suspended: this.suspended,
      ...this.#result(),
      ...(until !== undefined && { pendingUntil: new Date(until).toISOString() }),
    };
  }

  pendingItems(): PendingItem[] {
    return this.pendingIndexes.map((index) => ({
      index,
      expiresAt: new Date(this.#deadlines.get(index) ?? 0).toISOString(),
    }));
  }

  /** The state for the next execution, without the plan. */
  carry(): CarriedBatch {
    const groups = new Map<number, number[]>();
    for (const index of this.pendingIndexes) {
      const deadline = this.#deadlines.get(index) ?? 0;
      const group = groups.get(deadline);
      if (group) group.push(index);
      else groups.set(deadline, [index]);
    }
    return {
      summary: this.summary(),
      pending: [...groups].map(([expiresAt, indexes]) => ({ expiresAt, indexes })),
      cancelled: this.cancelled,
      ...(this.asked !== null && { asked: this.asked }),
      ...(this.#waitEndedAt !== undefined && { waitEndedAt: this.#waitEndedAt }),
    };
  }

  #result(): BatchResult {
    return { counts: { ...this.#counts }, actions: { ...this.#actions }, errorCodes: { ...this.#errorCodes } };
  }

  #count(tally: Tally): void {
    addTally({ counts: this.#counts, actions: this.#actions, errorCodes: this.#errorCodes }, tally);
  }

  #remember(pending: readonly PendingGroup[]): void {
    if (pending.length > 0) this.hasWaited = true;
    const end = this.#waitEndedAt ?? Number.POSITIVE_INFINITY;
    for (const { expiresAt, indexes } of pending)
      for (const index of indexes) this.#deadlines.set(index, Math.min(expiresAt, end));
  }
}
