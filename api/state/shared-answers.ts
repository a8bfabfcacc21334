interface Shared<T> {
  readonly answer: Promise<T>;
  /** In ms since 1970; infinite while it is computed. */
  until: number;
}

/** Answers that take much of the database: each is computed once for all callers that ask within some time. */
export class SharedAnswers<T> {
  readonly #answers = new Map<string, Shared<T>>();
  readonly #keptMs: number;

  /** @param keptMs how old an answer may be, in ms. */
  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  /** @param compute is not called where an answer for this key is there, or on its way. @throws what it throws, which is not kept. */
  get(key: string, compute: () => Promise<T>): Promise<T> {
    const now = Date.now();
    // as many stay as keys were asked for within the time
    for (const [each, { until }] of this.#answers) if (until <= now) this.#answers.delete(each);
    const found = this.#answers.get(key);
    if (found !== undefined) return found.answer;
    const shared: Shared<T> = { answer: compute(), until: Number.POSITIVE_INFINITY };
    this.#answers.set(key, shared);
    shared.answer.then(
      () => {
        shared.until = Date.now() + this.#keptMs;
      },
      () => this.#answers.delete(key),
    );
    return shared.answer;
  }
}
