/** Lets several runs of a benchmark go on one at a time, in the order in which they ask: a lock that is handed on. */
export class Turns {
  readonly #waiting: Array<() => void> = [];
  #isTaken = false;

  async take(): Promise<void> {
    if (!this.#isTaken) this.#isTaken = true;
    else await this.#wait();
  }

  /** Lets the others go on, each up to its next one of these, and waits for its turn again. */
  async next(): Promise<void> {
    const again = this.#wait();
    this.leave();
    await again;
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#isTaken = false;
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
