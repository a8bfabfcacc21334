/** Time between two reads of a list while something on it changes, in ms, and the longest while nothing does. */
const FASTEST_MS = 250;
const SLOWEST_MS = 4_000;

interface Read {
  readonly data: unknown;
  readonly dataUpdatedAt: number;
  readonly errorUpdatedAt: number;
}

/** How soon a list is read again: at once where it has changed, and less and less often where nothing happens. */
export class Pace {
  #data: unknown;
  #readAt = 0;
  #ms = FASTEST_MS;

  /** @param state of the query, whose data is the same object as before if it has not changed. @returns ms until it is read again. */
  next({ data, dataUpdatedAt, errorUpdatedAt }: Read): number {
    const readAt = Math.max(dataUpdatedAt, errorUpdatedAt);
    if (readAt === this.#readAt) return this.#ms;
    this.#ms = data === this.#data ? Math.min(2 * this.#ms, SLOWEST_MS) : FASTEST_MS;
    this.#data = data;
    this.#readAt = readAt;
    return this.#ms;
  }
}
