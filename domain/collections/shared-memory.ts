import { DroverError } from '../errors.ts';

/** Longest wait for memory that others hold, in ms. */
const MAX_WAIT_MS = 20_000;
/** Who has waited so long, in ms, may end another holder that has held its memory for `MAX_HELD_MS`: it does not read on. */
const PATIENCE_MS = 5_000;
const MAX_HELD_MS = 10_000;
const LOOK_EVERY_MS = 1_000;
/** Holders at a time whose memory is not measured yet, of all owners and of one: it may be more than they expect. */
const UNMEASURED_AT_ONCE = 4;
const UNMEASURED_OF_ONE = 2;

/** Who holds memory. */
export interface MemoryHolder {
  readonly owner: string;
  /** Ends what it is held for: others have waited too long. */
  end(): void;
}

/** Memory that is held. */
export interface HeldMemory {
  /** What it is, once that is known. */
  measured(bytes: number): void;
  /** Safe to repeat. */
  release(): void;
}

interface Hold {
  readonly holder: MemoryHolder;
  bytes: number;
  isMeasured: boolean;
  since: number;
}

/** What all holders, or those of one owner, hold, and of how many it is not measured. */
interface Share {
  bytes: number;
  unmeasured: number;
}

interface Waiting {
  readonly owner: string;
  readonly bytes: number;
  readonly since: number;
  readonly start: () => void;
}

/**
 * Memory of this process that some kind of work may hold at once, in bytes. Who finds too little waits, in the order of the requests. An owner
 * gets half of what others leave, so that some is always left for one more; and whoever holds its memory for long while others wait is ended, of
 * the owner with most of it first.
 */
export class SharedMemory {
  readonly limit: number;
  readonly #times: { readonly maxWaitMs: number; readonly patienceMs: number; readonly maxHeldMs: number };
  readonly #holds = new Set<Hold>();
  readonly #all: Share = { bytes: 0, unmeasured: 0 };
  readonly #shares = new Map<string, Share>();
  readonly #waiting = new Set<Waiting>();
  #looking: NodeJS.Timeout | undefined;

  constructor(limit: number, { maxWaitMs = MAX_WAIT_MS, patienceMs = PATIENCE_MS, maxHeldMs = MAX_HELD_MS } = {}) {
    this.limit = limit;
    this.#times = { maxWaitMs, patienceMs, maxHeldMs };
  }

  get held(): number {
    return this.#all.bytes;
  }

  /** @param bytes that are expected. @throws DroverError `memory_exceeded` after a wait that is too long. */
  take(holder: MemoryHolder, bytes: number): Promise<HeldMemory> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new DroverError('memory_exceeded', 'other requests hold the memory that reading these rows needs'));
      }, this.#times.maxWaitMs);
      const start = (): void => {
        clearTimeout(late);
        resolve(this.#hold(holder, bytes));
      };
      const waiting: Waiting = { owner: holder.owner, bytes, since: performance.now(), start };
      this.#waiting.add(waiting);
      this.#startWaiting();
      this.#lookWhileSomeWait();
    });
  }

  #hold(holder: MemoryHolder, bytes: number): HeldMemory {
    const hold: Hold = { holder, bytes, isMeasured: false, since: performance.now() };
    this.#holds.add(hold);
    this.#count(holder.owner, { bytes, unmeasured: 1 });
    const unmeasured = (): number => (hold.isMeasured ? 0 : -1);
    return {
      measured: (actual) => {
        if (!this.#holds.has(hold)) return;
        this.#count(holder.owner, { bytes: actual - hold.bytes, unmeasured: unmeasured() });
        Object.assign(hold, { bytes: actual, isMeasured: true, since: performance.now() });
        this.#startWaiting();
      },
      release: () => {
        if (!this.#holds.delete(hold)) return;
        this.#count(holder.owner, { bytes: -hold.bytes, unmeasured: unmeasured() });
        this.#startWaiting();
      },
    };
  }

  #count(owner: string, more: Share): void {
    const own = this.#shareOf(owner);
    for (const share of [this.#all, own]) {
      share.bytes += more.bytes;
      share.unmeasured += more.unmeasured;
    }
    if (own.bytes === 0 && own.unmeasured === 0) this.#shares.delete(owner);
    else this.#shares.set(owner, own);
  }

  #shareOf(owner: string): Share {
    return this.#shares.get(owner) ?? { bytes: 0, unmeasured: 0 };
  }

  #startWaiting(): void {
    for (const waiting of this.#waiting) {
      if (this.#all.unmeasured >= UNMEASURED_AT_ONCE) return;
      if (!this.#fits(waiting)) continue;
      this.#waiting.delete(waiting);
      waiting.start();
    }
  }

  #fits({ owner, bytes }: Waiting): boolean {
    const own = this.#shareOf(owner);
    const others = this.#all.bytes - own.bytes;
    return own.unmeasured < UNMEASURED_OF_ONE && own.bytes + bytes <= (this.limit - others) / 2;
  }

  #lookWhileSomeWait(): void {
    if (this.#looking !== undefined || this.#waiting.size === 0) return;
    this.#looking = setTimeout(
      () => {
        this.#looking = undefined;
        this.#endOne();
        this.#lookWhileSomeWait();
      },
      Math.min(LOOK_EVERY_MS, this.#times.patienceMs),
    );
  }

  #endOne(): void {
    const now = performance.now();
    const [longest] = this.#waiting;
    if (longest === undefined || now - longest.since < this.#times.patienceMs) return;
    const long = [...this.#holds].filter(
      ({ isMeasured, since, bytes }) => isMeasured && bytes > 0 && now - since >= this.#times.maxHeldMs,
    );
    const heldBy = ({ holder }: Hold): number => this.#shareOf(holder.owner).bytes;
    const [first] = long.sort((a, b) => heldBy(b) - heldBy(a) || a.since - b.since);
    first?.holder.end();
  }
}
