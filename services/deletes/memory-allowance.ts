import { DroverError } from '../../domain/errors.ts';

/** What is to be held in memory does not fit into what is allowed. */
export class MemoryExceededError extends DroverError {
  override readonly name = 'MemoryExceededError';
  /** Whether others hold some of it now: later there may be more. */
  readonly isShared: boolean;

  constructor(limit: number, isShared: boolean) {
    super('memory_exceeded', `more than the ${limit} bytes allowed`);
    this.isShared = isShared;
  }
}

/** Memory of this process that some kind of work may hold at once, in bytes, whoever does it. */
export class MemoryAllowance {
  /** In bytes. */
  readonly limit: number;
  #held = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  /**
   * Does some work, which says what memory it is about to take, or has given back (negative): `charge`.
   * What it holds in the end is given back. @throws MemoryExceededError, through `charge`.
   */
  async lend<T>(work: (charge: (bytes: number) => void) => Promise<T>): Promise<T> {
    let own = 0;
    const charge = (bytes: number): void => {
      if (bytes > 0 && this.#held + bytes > this.limit) throw new MemoryExceededError(this.limit, this.#held > own);
      own += bytes;
      this.#held += bytes;
    };
    try {
      return await work(charge);
    } finally {
      this.#held -= own;
    }
  }
}
