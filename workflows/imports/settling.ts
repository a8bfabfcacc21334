import type { CarriedSettling, SettleImportResult } from './messages.ts';

/** Time after which batches that were asked are looked at again although not all have answered, in ms: the first, and the longest; doubled each time. */
const FIRST_LOOK_MS = 1_000;
const LONGEST_LOOK_MS = 30_000;

/** Time without news after which they are looked at for the first time, in ms, and more for each: what the last rows have created wakes many of them, which needs no help. */
const QUIET_MS = 1_000;
const QUIET_PER_BATCH_MS = 20;
const MOST_QUIET_MS = 3_000;

/** When the batches of an import that only wait are looked at again. */
export class Settling {
  /** In ms since 1970. */
  due = 0;
  #asked = 0;
  #isEnded = false;
  #lookMs = FIRST_LOOK_MS;
  #quietMs = QUIET_MS;

  constructor(carried?: CarriedSettling) {
    if (carried === undefined) return;
    this.due = carried.due;
    this.#asked = carried.asked;
    this.#isEnded = carried.isEnded;
  }

  carry(): CarriedSettling {
    return { due: this.due, asked: this.#asked, isEnded: this.#isEnded };
  }

  /** The last batch that ran has ended, or only waits. @param batches that wait. */
  begin(batches: number, now: number): void {
    this.#quietMs = Math.min(QUIET_MS + batches * QUIET_PER_BATCH_MS, MOST_QUIET_MS);
    this.due = now + this.#quietMs;
    this.#asked = 0;
    this.#isEnded = false;
    this.#lookMs = FIRST_LOOK_MS;
  }

  done(result: SettleImportResult | null, now: number): void {
    this.#asked = result?.asked ?? 0;
    this.#isEnded = result?.isEnd ?? false;
    this.due = now + (this.#isEnded ? LONGEST_LOOK_MS : this.#lookMs);
    this.#lookMs = Math.min(2 * this.#lookMs, LONGEST_LOOK_MS);
  }

  /** A batch that waits has reported. @returns whether all that were asked have. */
  heard(now: number): boolean {
    // those that wake finish one after the other, and so do those that have been told of the end
    if (this.#asked <= 0) this.due = Math.max(this.due, now + this.#quietMs);
    if (this.#isEnded) this.due = now + LONGEST_LOOK_MS;
    this.#asked -= 1;
    if (this.#asked !== 0) return false;
    if (!this.#isEnded) this.due = now;
    return true;
  }
}
