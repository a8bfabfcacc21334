import { DroverError } from '../../domain/errors.ts';

/** More memory is needed than is allowed. */
export class MemoryExceededError extends DroverError {
  override readonly name = 'MemoryExceededError';
  /** Whether other work holds some of it now: later there may be more. */
  readonly isShared: boolean;

  constructor(limit: number, isShared: boolean) {
    super('memory_exceeded', `more than the ${limit} bytes allowed`);
    this.isShared = isShared;
  }
}

/** Memory of this process that some kind of work may hold at once, in bytes, over all callers. */
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
   * Runs some work, which reports the memory that it is about to take, or has released (negative), by `charge`.
   * The memory that it holds in the end is released. @throws MemoryExceededError, through `charge`.
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
