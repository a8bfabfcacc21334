/**
 * Writes entries as they arrive; entries that arrive while a write is in progress are written together in the next one: so many concurrent tasks that each
 * write a little cost the store few commands.
 */
export class CoalescedWrites<K, V> {
  readonly #write: (entries: ReadonlyMap<K, V>) => Promise<void>;
  #waiting = new Map<K, V>();
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(write: (entries: ReadonlyMap<K, V>) => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when the entry is written. @throws the error of its write. */
  write(key: K, value: V): Promise<void> {
    this.#waiting.set(key, value);
    this.#next ??= this.#current.then(
      () => this.#writeWaiting(),
      () => this.#writeWaiting(),
    );
    return this.#next;
  }

  #writeWaiting(): Promise<void> {
    const entries = this.#waiting;
    this.#waiting = new Map();
    this.#next = undefined;
    this.#current = this.#write(entries);
    return this.#current;
  }
}
