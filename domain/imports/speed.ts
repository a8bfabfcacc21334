/** Time over which a speed is measured, in ms, and the least time that says something about it. */
const WINDOW_MS = 60_000;
const LEAST_MS = 5_000;
/** Measurements that are kept: one a second is enough. */
const EVERY_MS = 1_000;

interface Measurement {
  /** In ms since 1970. */
  readonly at: number;
  readonly count: number;
}

/** How fast a number grows: over the last minute, and unknown until there is enough to measure. */
export class Speed {
  /** The measurements of the last minute. */
  measured: readonly Measurement[];

  constructor(measured: readonly Measurement[] = []) {
    this.measured = measured;
  }

  /** Whether the last measurement is long enough ago for another one. */
  isDue(at: number): boolean {
    return at - (this.measured.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= EVERY_MS;
  }

  /** @param at in ms, never less than before. @param count less than before: what was counted is done again, and measuring begins anew. */
  add(at: number, count: number): void {
    const isLess = count < (this.measured.at(-1)?.count ?? 0);
    const before = isLess ? [] : this.measured.filter((one) => at - one.at <= WINDOW_MS);
    this.measured = [...before, { at, count }];
  }

  /** Undefined if it is not known (any more). A time without a measurement is one in which nothing was done. */
  perSecond(now: number): number | undefined {
    const within = this.measured.filter((one) => now - one.at <= WINDOW_MS);
    const [first, last] = [within[0], within.at(-1)];
    if (first === undefined || last === undefined || last.at - first.at < LEAST_MS) return undefined;
    return ((last.count - first.count) * 1000) / (now - first.at);
  }
}
