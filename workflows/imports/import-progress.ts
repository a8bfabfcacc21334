import type { BatchResult, BatchStatus, BatchSummary } from '../../domain/batch/batch.ts';
import { addTally } from '../../domain/batch/tally.ts';
import type { BatchReport, ImportSummary } from '../../domain/imports/import.ts';
import { Speed } from '../../domain/imports/speed.ts';
import { copied, nothing } from '../../domain/imports/sum.ts';
import type { CheckImportInput, CutImportResult, ImportInput, ImportState, SettleImportResult } from './messages.ts';
import { Settling } from './settling.ts';

/** What an import's workflow does next. */
type ImportStep =
  /** Reads what is stored, and brings the batches in line with it. */
  | { readonly kind: 'check' }
  /** Cuts content into batches, or retries finished ones. */
  | { readonly kind: 'cut'; readonly room: number }
  /** Decides what becomes of batches that only wait: nothing else of the import is left. */
  | { readonly kind: 'settle' }
  /** Waits until another step is next, at the latest until this time in ms since 1970. */
  | { readonly kind: 'wait'; readonly until: number }
  | { readonly kind: 'continue-as-new' }
  | { readonly kind: 'finish' };

type Sizes = Pick<ImportState, 'isAtEnd' | 'sealed' | 'rowsRead' | 'bytesRead' | 'received'>;

const NOTHING_READ: Sizes = { isAtEnd: false, sealed: false, rowsRead: 0, bytesRead: 0, received: 0 };

/** Time without news after which what is stored is read again, in ms: a report may be lost with the workflow of its batch. Doubled while nothing changes. */
const QUIET_MS = 30_000;
const MOST_QUIET_MS = 300_000;
/** Time between news of a batch that waits and the check that reads them, in ms: the least, the most, and for each batch that is read. */
const LEAST_PAUSE_MS = 200;
const MOST_PAUSE_MS = 10_000;
const PAUSE_PER_BATCH_MS = 2;
/** Least time after which content is cut again that was too early to be cut, in ms. */
const LEAST_CUT_PAUSE_MS = 100;

/**
 * The whole state of an import's workflow: numbers only (invariant 7), and the same few however many batches wait. Nothing here calls
 * Temporal. Its counts add up to the rows of its batches at every moment.
 *
 * Batches that run are known by their numbers: their reports free places of the window. Of those that only wait, or are finished, the
 * workflow knows sums, as the last check has read them; a report of one of these makes it check again.
 */
export class ImportProgress {
  readonly #input: ImportInput;
  /** Batches that do not only wait -> their rows. */
  readonly #running = new Map<number, number>();
  /** Further ones: callers have retried very many. */
  #unnamed = { batches: 0, rows: 0 };
  #waiting = nothing();
  #finished = nothing();
  /** Reports of batches whose start the workflow does not know yet. */
  readonly #early = new Map<number, BatchReport>();
  /** Reports that come while a check runs: what it has read may be older. Undefined while none runs. */
  #duringCheck: Map<number, BatchReport> | undefined;
  readonly #speed: Speed;
  #sizes = NOTHING_READ;
  #next = 1;
  #isLoaded = false;
  #cancelled = false;
  #suspended = false;
  #retryFrom: number | null;
  /** When the next check is due, in ms since 1970. */
  #checkDue = 0;
  #quietMs = QUIET_MS;
  /** Content may be there that the last cut has not found. */
  #mayHaveContent = true;
  /** The last cut has left complete rows, fewer than a full batch. */
  #hasFew = false;
  /** When content may be cut again, by the rows per second that were asked for, in ms since 1970. */
  #cutDue = 0;
  readonly #settling: Settling;
  /** The workflow was cancelled in Temporal, which is not stored yet. */
  #isCancelledInTemporal = false;
  #summary: ImportSummary | undefined;

  constructor(input: ImportInput) {
    this.#input = input;
    this.#retryFrom = input.retryFrom === undefined ? (input.run > 1 ? 1 : null) : input.retryFrom;
    this.#speed = new Speed(input.measured);
    this.#settling = new Settling(input.settling);
    // until then it is checked only if a request to control it has come
    this.#checkDue = input.startAt ?? 0;
  }

  /** What the next execution needs to know; everything else is stored, and it reads that first. */
  carry(): Pick<ImportInput, 'retryFrom' | 'measured' | 'settling'> {
    return { retryFrom: this.#retryFrom, measured: this.#speed.measured, settling: this.#settling.carry() };
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
    return this.#runningBatches === 0;
  }

  get asked(): Pick<CheckImportInput, 'isCancelled'> {
    return this.#isCancelledInTemporal ? { isCancelled: true } : {};
  }

  nextStep(isLong: boolean, now: number): ImportStep {
    const { startAt = 0 } = this.#input;
    // a cancellation in Temporal is lost with this execution unless it is stored
    if (isLong && !this.#isCancelledInTemporal) return { kind: 'continue-as-new' };
    if (now >= this.#checkDue) return { kind: 'check' };
    const isWhole = this.#sizes.isAtEnd && this.#retryFrom === null;
    if (this.#openBatches === 0 && (this.#cancelled || isWhole)) return { kind: 'finish' };
    // a signal has woken it before its time; one that was cancelled ends without waiting for that
    if (now < startAt && !this.#cancelled) return this.#waitUntil(startAt);
    if (this.#cancelled || this.#suspended) return this.#waitUntil();
    if (!isWhole) {
      const cut = this.#nextCut();
      if (cut !== undefined && now < this.#cutDue) return this.#waitUntil(this.#cutDue);
      return cut ?? this.#waitUntil();
    }
    if (!this.#input.waits || this.#runningBatches > 0) return this.#waitUntil();
    return now >= this.#settling.due ? { kind: 'settle' } : this.#waitUntil(this.#settling.due);
  }

  #waitUntil(other = Number.POSITIVE_INFINITY): ImportStep {
    return { kind: 'wait', until: Math.min(this.#checkDue, other) };
  }

  #nextCut(): ImportStep | undefined {
    const room = this.#input.window - this.#runningBatches;
    const hasContent = this.#mayHaveContent || (this.#hasFew && this.#runningBatches === 0);
    const mayCut = this.#retryFrom !== null || (hasContent && !this.#sizes.isAtEnd);
    return mayCut && room >= Math.ceil(this.#input.window / 2) ? { kind: 'cut', room } : undefined;
  }

  contentReceived(): void {
    this.#mayHaveContent = true;
  }

  /** Something stored has changed. */
  outdate(): void {
    this.#checkDue = 0;
    this.#quietMs = QUIET_MS;
  }

  cancelledInTemporal(): void {
    this.#isCancelledInTemporal = true;
    this.outdate();
  }

  beginCheck(): void {
    this.#checkDue = Number.POSITIVE_INFINITY;
    this.#duringCheck = new Map();
  }

  /** @param state null if there is no such run (any more). */
  checked(state: ImportState | null, now: number): void {
    const meanwhile = this.#duringCheck ?? new Map<number, BatchReport>();
    this.#duringCheck = undefined;
    this.#checkDue = Math.min(this.#checkDue, now + this.#quietMs);
    this.#quietMs = Math.min(2 * this.#quietMs, MOST_QUIET_MS);
    this.#running.clear();
    if (state === null) {
      this.#cancelled = true;
      this.#isCancelledInTemporal = false;
      this.#unnamed = { batches: 0, rows: 0 };
      this.#waiting = nothing();
      return;
    }
    this.#isLoaded = true;
    this.#cancelled = state.cancelled;
    if (state.cancelled) this.#isCancelledInTemporal = false;
    this.#suspended = state.suspended;
    this.#sizes = state;
    this.#next = state.next;
    this.#finished = copied(state.finished);
    this.#waiting = copied(state.waiting);
    for (const { number, total } of state.running) this.#running.set(number, total);
    this.#unnamed = state.unnamed;
    this.#mayHaveContent = true;
    for (const report of meanwhile.values()) this.#count(report);
    this.#takeEarly(now);
    if (this.#speed.isDue(now)) this.#speed.add(now, this.#processed());
  }

  beginCut(): void {
    this.#mayHaveContent = false;
    this.#hasFew = false;
  }

  /** @param result null if there is no such run (any more). */
  cut(result: CutImportResult | null, now: number): void {
    if (result === null) {
      this.outdate();
      return;
    }
    this.#sizes = result;
    this.#retryFrom = result.retryFrom;
    this.#hasFew = result.hasFew;
    if (result.hasRetried) this.outdate();
    for (const { number, total } of result.batches) {
      if (number < this.#next) continue;
      this.#running.set(number, total);
      this.#next = number + 1;
    }
    const { notBefore = 0, waitMs } = result;
    this.#cutDue = waitMs === undefined ? notBefore : now + Math.max(waitMs, LEAST_CUT_PAUSE_MS);
    const isToGoOn = result.batches.length > 0 || result.hasMore || result.notBefore !== undefined;
    if (isToGoOn) this.#mayHaveContent = true;
    this.#takeEarly(now);
  }

  /** @param result what `settleImport` has found and done; null if there is no such run (any more). */
  settled(result: SettleImportResult | null, now: number): void {
    if (result === null || result.isRunning) this.outdate();
    this.#settling.done(result, now);
  }

  reported(report: BatchReport, now: number): void {
    if (!this.#isLoaded || report.number >= this.#next) {
      this.#early.set(report.number, report);
      return;
    }
    if (!this.#duringCheck?.get(report.number)?.isFinished) this.#duringCheck?.set(report.number, report);
    this.#quietMs = QUIET_MS;
    if (this.#count(report)) {
      // what begins once nothing runs is decided by what is stored
      if (this.#runningBatches === 0 && this.#waiting.batches > 0) this.#settling.begin(this.#waiting.batches, now);
    } else this.#hear(now);
    if (this.#speed.isDue(now)) this.#speed.add(now, this.#processed());
  }

  /** A batch that runs has finished, or only waits. @returns false if it is none that is known to run: its report may be a repeated one. */
  #count(report: BatchReport): boolean {
    if (!this.#running.delete(report.number)) return false;
    const sum = report.isFinished ? this.#finished : this.#waiting;
    sum.batches += 1;
    addTally(sum.result, report);
    return true;
  }

  /** A batch that waits has changed: others may have changed, too, and are read together with it. */
  #hear(now: number): void {
    const pause = this.#waiting.batches * PAUSE_PER_BATCH_MS;
    const due = now + Math.min(Math.max(pause, LEAST_PAUSE_MS), MOST_PAUSE_MS);
    const isLastAsked = this.#settling.heard(now);
    this.#checkDue = Math.min(this.#checkDue, isLastAsked ? now : due);
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
      batches: { total: this.#finished.batches + this.#openBatches, running: this.#openBatches },
      rowsRead,
      bytesRead,
      ...(rate !== undefined && { rowsPerSecond: Math.round(rate) }),
      ...(completion !== undefined && { estimatedCompletionAt: new Date(completion).toISOString() }),
    };
  }

  #status(): BatchStatus {
    if (!this.#isLoaded) return 'queued';
    const isWaiting = this.#sizes.isAtEnd && this.#openBatches > 0 && this.#runningBatches === 0;
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
    const { result } = copied(this.#finished);
    addTally(result, this.#waiting.result);
    for (const rows of this.#running.values()) result.counts.queued += rows;
    result.counts.queued += this.#unnamed.rows;
    return result;
  }

  /** Batches that do not only wait. */
  get #runningBatches(): number {
    return this.#running.size + this.#unnamed.batches;
  }

  get #openBatches(): number {
    return this.#runningBatches + this.#waiting.batches;
  }
}
