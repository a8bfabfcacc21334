import { DroverError } from '../errors.ts';

/** Longest wait for memory that others hold, in ms. */
const MAX_WAIT_MS = 20_000;

/** Memory that is held. */
export interface HeldMemory {
  /** It has turned out to be more, or less. */
  resize(bytes: number): void;
  /** Safe to repeat. */
  release(): void;
}

interface Waiting {
  readonly owner: string;
  readonly bytes: number;
  readonly start: () => void;
}

/**
 * Memory of this process that some kind of work may hold at once, in bytes. Who finds too little waits, in the order of the requests. One owner
 * may hold half of it, so that callers who do not read their answers keep only their own tenant waiting.
 */
export class SharedMemory {
  readonly limit: number;
  readonly #maxWaitMs: number;
  readonly #heldBy = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #held = 0;

  constructor(limit: number, maxWaitMs = MAX_WAIT_MS) {
    this.limit = limit;
    this.#maxWaitMs = maxWaitMs;
  }

  get held(): number {
    return this.#held;
  }

  /** @param bytes at most half of the limit. @throws DroverError `memory_exceeded` after a wait that is too long. */
  take(owner: string, bytes: number): Promise<HeldMemory> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new DroverError('memory_exceeded', 'other requests hold the memory that reading these rows needs'));
      }, this.#maxWaitMs);
      const start = (): void => {
        clearTimeout(late);
        resolve(this.#hold(owner, bytes));
      };
      const waiting: Waiting = { owner, bytes, start };
      this.#waiting.add(waiting);
      this.#startWaiting();
    });
  }

  #hold(owner: string, bytes: number): HeldMemory {
    let own = 0;
    let isReleased = false;
    const resize = (to: number): void => {
      if (isReleased) return;
      this.#add(owner, to - own);
      own = to;
    };
    resize(bytes);
    return {
      resize,
      release: () => {
        resize(0);
        isReleased = true;
      },
    };
  }

  #add(owner: string, bytes: number): void {
    this.#held += bytes;
    const held = (this.#heldBy.get(owner) ?? 0) + bytes;
    if (held === 0) this.#heldBy.delete(owner);
    else this.#heldBy.set(owner, held);
    if (bytes < 0) this.#startWaiting();
  }

  #startWaiting(): void {
    for (const waiting of this.#waiting) {
      if (this.#held + waiting.bytes > this.limit) return;
      if ((this.#heldBy.get(waiting.owner) ?? 0) + waiting.bytes > this.limit / 2) continue;
      this.#waiting.delete(waiting);
      waiting.start();
    }
  }
}
