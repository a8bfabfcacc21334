/** Time over which a speed is measured, in ms, and the least time that says something about it. */
const WINDOW_MS = 60_000;
const LEAST_MS = 5_000;
/** Measurements that are kept: one a second is enough. */
const EVERY_MS = 1_000;

/** How fast a number grows: over the last minute, and unknown until there is enough to measure. */
export class Speed {
  #measured: { readonly at: number; readonly count: number }[] = [];

  /** Whether the last measurement is long enough ago for another one. */
  isDue(at: number): boolean {
    return at - (this.#measured.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= EVERY_MS;
  }

  /** @param at in ms, never less than before. */
  add(at: number, count: number): void {
    this.#measured.push({ at, count });
    this.#measured = this.#measured.filter((one) => at - one.at <= WINDOW_MS);
  }

  /** Undefined if it is not known (any more). */
  perSecond(now: number): number | undefined {
    const within = this.#measured.filter((one) => now - one.at <= WINDOW_MS);
    const [first, last] = [within[0], within.at(-1)];
    if (first === undefined || last === undefined || last.at - first.at < LEAST_MS) return undefined;
    return ((last.count - first.count) * 1000) / (last.at - first.at);
  }
}
