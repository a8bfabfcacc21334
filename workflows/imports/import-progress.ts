import type { BatchResult, BatchStatus, BatchSummary } from '../../domain/batch/batch.ts';
import { noActions, noCounts } from '../../domain/batch/outcome.ts';
import { addTally } from '../../domain/batch/tally.ts';
import type { BatchReport, ImportSummary } from '../../domain/imports/import.ts';
import { Speed } from '../../domain/imports/speed.ts';
import type { CheckImportInput, CutImportResult, ImportInput, ImportState } from './messages.ts';

/** What an import's workflow does next. */
type ImportStep =
  /** Reads what is stored, and brings the batches in line with it. */
  | { readonly kind: 'check' }
  /** Asks all batches that wait to check their items once more. */
  | { readonly kind: 'check-round' }
  /** Ends what still waits. */
  | { readonly kind: 'end-waits' }
  /** Cuts content into batches, or retries finished ones. */
  | { readonly kind: 'cut'; readonly room: number }
  | { readonly kind: 'wait' }
  | { readonly kind: 'continue-as-new' }
  | { readonly kind: 'finish' };

interface OpenBatch {
  readonly total: number;
  report?: BatchReport;
}

type Sizes = Pick<ImportState, 'isAtEnd' | 'sealed' | 'rowsRead' | 'bytesRead' | 'received'>;

const NOTHING_READ: Sizes = { isAtEnd: false, sealed: false, rowsRead: 0, bytesRead: 0, received: 0 };

/**
 * The whole state of an import's workflow: numbers only (invariant 7). Nothing here calls Temporal. Its counts add up to the rows of its
 * batches at every moment.
 */
export class ImportProgress {
  readonly #input: ImportInput;
  readonly #open = new Map<number, OpenBatch>();
  /** Reports of batches whose start the workflow does not know yet. */
  readonly #early = new Map<number, BatchReport>();
  /** Reports that come while a check runs: what it has read may be older. Undefined while none runs. */
  #duringCheck: Map<number, BatchReport> | undefined;
  readonly #speed = new Speed();
  #finished: BatchResult = { counts: noCounts(), actions: noActions(), errorCodes: {} };
  #finishedBatches = 0;
  #sizes = NOTHING_READ;
  #next = 1;
  #isLoaded = false;
  #cancelled = false;
  #suspended = false;
  #retryFrom: number | null;
  /** What is stored may differ from what is known. */
  #isOutdated = true;
  /** Content may be there that the last cut has not found. */
  #mayHaveContent = true;
  /** The last cut has left complete rows, fewer than a full batch. */
  #hasFew = false;
  /** Rounds of checks, which batches that wait report: one in which no item was finished proves that nothing can be created any more. */
  #round = 0;
  #hasChangedInRound = false;
  #hasEnded = false;
  /** The workflow was cancelled in Temporal. */
  #isCancelledInTemporal = false;
  #summary: ImportSummary | undefined;

  constructor(input: ImportInput) {
    this.#input = input;
    this.#retryFrom = input.retryFrom === undefined ? (input.run > 1 ? 1 : null) : input.retryFrom;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  get retryFrom(): number | null {
    return this.#retryFrom;
  }

  /** Number of the first batch that is not known. */
  get next(): number {
    return this.#next;
  }

  /** Nothing of it runs: what is there is worth cutting, however little it is. */
  get isIdle(): boolean {
    return this.#running === 0;
  }

  /** The round that waiting batches are asked for, and whether they are asked to end. */
  get asked(): Pick<CheckImportInput, 'round' | 'isEnd' | 'isCancelled'> {
    return {
      ...(this.#round > 0 && { round: this.#round }),
      ...(this.#hasEnded && { isEnd: true }),
      ...(this.#isCancelledInTemporal && { isCancelled: true }),
    };
  }

  nextStep(isLong: boolean): ImportStep {
    if (isLong) return { kind: 'continue-as-new' };
    if (this.#isOutdated) return { kind: 'check' };
    const isWhole = this.#sizes.isAtEnd && this.#retryFrom === null;
    if (this.#open.size === 0 && (this.#cancelled || isWhole)) return { kind: 'finish' };
    if (this.#cancelled || this.#suspended) return { kind: 'wait' };
    if (!isWhole) {
      const room = this.#input.window - this.#running;
      const hasContent = this.#mayHaveContent || (this.#hasFew && this.#running === 0);
      const mayCut = this.#retryFrom !== null || (hasContent && !this.#sizes.isAtEnd);
      return mayCut && room >= Math.ceil(this.#input.window / 2) ? { kind: 'cut', room } : { kind: 'wait' };
    }
    return this.#input.waits && this.#running === 0 ? this.#nextOfEnd() : { kind: 'wait' };
  }

  /** All rows are in batches, and all open batches wait. */
  #nextOfEnd(): ImportStep {
    if (this.#hasEnded || !this.#isRoundComplete()) return { kind: 'wait' };
    // a complete round in which no batch finished an item: all have seen the same resources, and none can be applied
    if (this.#round > 0 && !this.#hasChangedInRound) return { kind: 'end-waits' };
    return { kind: 'check-round' };
  }

  #isRoundComplete(): boolean {
    return [...this.#open.values()].every(({ report }) => (report?.round ?? 0) >= this.#round);
  }

  beginRound(): void {
    this.#round += 1;
    this.#hasChangedInRound = false;
  }

  endWaits(): void {
    this.#hasEnded = true;
  }

  contentReceived(): void {
    this.#mayHaveContent = true;
  }

  /** Something stored has changed, or nothing was heard for a while. */
  outdate(): void {
    this.#isOutdated = true;
  }

  cancelledInTemporal(): void {
    this.#isCancelledInTemporal = true;
    this.#isOutdated = true;
  }

  beginCheck(): void {
    this.#isOutdated = false;
    this.#duringCheck = new Map();
  }

  /** @param state null if there is no such run (any more). */
  checked(state: ImportState | null, now: number): void {
    const meanwhile = this.#duringCheck ?? new Map<number, BatchReport>();
    this.#duringCheck = undefined;
    if (state === null) {
      this.#cancelled = true;
      this.#open.clear();
      return;
    }
    this.#isLoaded = true;
    this.#cancelled = state.cancelled;
    this.#suspended = state.suspended;
    this.#sizes = state;
    this.#next = state.next;
    this.#finished = {
      counts: { ...state.finished.counts },
      actions: { ...state.finished.actions },
      errorCodes: { ...state.finished.errorCodes },
    };
    this.#finishedBatches = state.finishedBatches;
    const before = new Map(this.#open);
    this.#open.clear();
    for (const { number, total, report } of state.open) {
      const known = before.get(number)?.report;
      // the store may be older than a report that came by signal
      const latest = known !== undefined && known.round > (report?.round ?? 0) ? known : report;
      this.#open.set(number, { total, ...(latest && { report: latest }) });
      if (latest !== undefined && known !== undefined && pendingOf(latest) !== pendingOf(known))
        this.#hasChangedInRound = true;
    }
    for (const number of before.keys()) if (!this.#open.has(number)) this.#hasChangedInRound = true;
    const latestRound = Math.max(0, ...[...this.#open.values()].map(({ report }) => report?.round ?? 0));
    if (latestRound > this.#round) {
      // an execution before this one has asked for rounds: they prove nothing to this one
      this.#round = latestRound;
      this.#hasChangedInRound = true;
    }
    this.#mayHaveContent = true;
    for (const report of meanwhile.values()) this.reported(report, now);
    this.#takeEarly(now);
  }

  beginCut(): void {
    this.#mayHaveContent = false;
    this.#hasFew = false;
  }

  /** @param result null if there is no such run (any more). */
  cut(result: CutImportResult | null, now: number): void {
    if (result === null) {
      this.#isOutdated = true;
      return;
    }
    this.#sizes = result;
    this.#retryFrom = result.retryFrom;
    this.#hasFew = result.hasFew;
    if (result.hasRetried) this.#isOutdated = true;
    for (const { number, total } of result.batches) {
      if (number < this.#next) continue;
      this.#open.set(number, { total });
      this.#next = number + 1;
    }
    if (result.batches.length > 0) this.#mayHaveContent = true;
    this.#takeEarly(now);
  }

  reported(report: BatchReport, now: number): void {
    if (!this.#duringCheck?.get(report.number)?.isFinished) this.#duringCheck?.set(report.number, report);
    if (!this.#isLoaded || report.number >= this.#next) {
      this.#early.set(report.number, report);
      return;
    }
    const batch = this.#open.get(report.number);
    // a report that is repeated, or of a batch that was finished before
    if (batch === undefined) return;
    const before = batch.report;
    if (!report.isFinished) {
      if (before !== undefined && report.round < before.round) return;
      if (before === undefined || pendingOf(before) !== pendingOf(report)) this.#hasChangedInRound = true;
      batch.report = report;
    } else {
      this.#open.delete(report.number);
      this.#hasChangedInRound = true;
      this.#finishedBatches += 1;
      addTally(this.#finished, report);
    }
    if (this.#speed.isDue(now)) this.#speed.add(now, this.#processed());
  }

  #takeEarly(now: number): void {
    for (const [number, report] of [...this.#early]) {
      if (number >= this.#next) continue;
      this.#early.delete(number);
      this.reported(report, now);
    }
  }

  finish(summary: BatchSummary, batches: number, now: number): void {
    this.#summary = { ...this.summary(now), ...summary, batches: { total: batches, running: 0 } };
  }

  summary(now: number): ImportSummary {
    if (this.#summary !== undefined) return this.#summary;
    const { rowsRead, bytesRead } = this.#sizes;
    const rate = this.#speed.perSecond(now);
    const completion = this.#completion(now, rate);
    return {
      status: this.#status(),
      suspended: this.#suspended,
      ...this.#result(),
      batches: { total: this.#finishedBatches + this.#open.size, running: this.#open.size },
      rowsRead,
      bytesRead,
      ...(rate !== undefined && { rowsPerSecond: Math.round(rate) }),
      ...(completion !== undefined && { estimatedCompletionAt: new Date(completion).toISOString() }),
    };
  }

  #status(): BatchStatus {
    if (!this.#isLoaded) return 'queued';
    const isWaiting = this.#sizes.isAtEnd && this.#open.size > 0 && this.#running === 0;
    return isWaiting ? 'waiting' : 'processing';
  }

  /** When the rest is done at this speed: known once the whole file is here; its rows that are not cut yet are as long as the others. */
  #completion(now: number, rate: number | undefined): number | undefined {
    const { sealed, received, bytesRead, rowsRead } = this.#sizes;
    if (rate === undefined || rate <= 0 || !sealed || rowsRead === 0 || this.#suspended) return undefined;
    const uncut = bytesRead === 0 ? 0 : (Math.max(0, received - bytesRead) / bytesRead) * rowsRead;
    return now + ((uncut + rowsRead - this.#processed()) / rate) * 1000;
  }

  #processed(): number {
    const { counts } = this.#result();
    return Object.values(counts).reduce((sum, n) => sum + n, 0) - counts.queued - counts.pending;
  }

  #result(): BatchResult {
    const sum: BatchResult = {
      counts: { ...this.#finished.counts },
      actions: { ...this.#finished.actions },
      errorCodes: { ...this.#finished.errorCodes },
    };
    for (const { total, report } of this.#open.values())
      addTally(sum, report ?? { counts: { queued: total }, actions: {}, errorCodes: {} });
    return sum;
  }

  /** Batches that do not only wait. */
  get #running(): number {
    let running = 0;
    for (const { report } of this.#open.values()) if (report === undefined) running += 1;
    return running;
  }
}

const pendingOf = ({ counts }: BatchReport): number => counts.pending ?? 0;
