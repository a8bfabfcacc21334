/**
 * Ends whatever is waited for, now and later, with an error. In place of `Promise.race` with a promise that lasts long: every race with such a promise stays
 * in memory with its result until the promise is settled, which for the chunks of a body is all of the body.
 */
export class Interruption {
  #reason: { readonly error: unknown } | undefined;
  readonly #waiting = new Set<(error: unknown) => void>();

  /** The first error holds. */
  interrupt(error: unknown): void {
    this.#reason ??= { error };
    for (const reject of this.#waiting) reject(this.#reason.error);
    this.#waiting.clear();
  }

  /** The result of some work, or the error of the interruption, whichever comes first; what the work then comes to is ignored. */
  during<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#reason !== undefined) reject(this.#reason.error);
      else this.#waiting.add(reject);
      const done = (): boolean => this.#waiting.delete(reject);
      work.then(
        (result) => {
          done();
          resolve(result);
        },
        (error: unknown) => {
          done();
          reject(error);
        },
      );
    });
  }
}
