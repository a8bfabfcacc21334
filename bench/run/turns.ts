/** A fair lock: of several runs of a benchmark one proceeds at a time, in the order of their requests. */
export class Turns {
  readonly #waiting: Array<() => void> = [];
  #isTaken = false;

  async take(): Promise<void> {
    if (!this.#isTaken) this.#isTaken = true;
    else await this.#wait();
  }

  /** Lets the other runs proceed, each until its own next call, and waits for the lock again. */
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
