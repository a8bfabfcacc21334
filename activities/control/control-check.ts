import { type Controllable, type Halt, haltOf, readHalt } from '../../store/batches/halts.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { Controlled } from '../../workflows/messages.ts';

/** Time after which work checks again, in ms. */
export const CHECK_EVERY_MS = 250;

/**
 * Checks whether work on a batch may continue. The API stores a suspension, cancellation or removal before it answers, so
 * an activity that checks here before each slice of work begins nothing after the answer.
 */
export class ControlCheck {
  readonly #database: Database;
  readonly #of: Controlled;
  readonly #heeds: ReadonlySet<Halt>;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #found: Halt | null = null;
  /** The check in progress. */
  #checking: Promise<Halt | null> | undefined;

  /** @param heeds the states that stop this work; the end of its run always does. */
  constructor(database: Database, of: Controlled, heeds: readonly Halt[] = ['suspended', 'cancelled']) {
    this.#database = database;
    this.#of = of;
    this.#heeds = new Set(['gone', ...(of.keepsLeft ? heeds : [])]);
  }

  /** Counts a batch that was just read as a check. */
  asRead(batch: Controllable | null): Halt | null {
    this.#checkedAt = performance.now();
    this.#found = haltOf(batch, this.#of.run);
    return this.#heeded();
  }

  /** The run was over at the last check. */
  get isGone(): boolean {
    return this.#found === 'gone';
  }

  /** Checks now. @returns the reason why the work has to stop; null if it may continue. */
  now(): Promise<Halt | null> {
    this.#checkedAt = performance.now();
    const checking = this.#read().finally(() => {
      if (this.#checking === checking) this.#checking = undefined;
    });
    this.#checking = checking;
    return checking;
  }

  async #read(): Promise<Halt | null> {
    this.#found = await readHalt(this.#database, this.#of);
    return this.#heeded();
  }

  /**
   * Checks if the last check is `CHECK_EVERY_MS` ago, for work in much shorter steps. Concurrent steps wait for the
   * same check, because an earlier result is outdated.
   */
  async inTime(): Promise<Halt | null> {
    if (performance.now() - this.#checkedAt >= CHECK_EVERY_MS) return this.now();
    return this.#checking ?? this.#heeded();
  }

  #heeded(): Halt | null {
    return this.#found !== null && this.#heeds.has(this.#found) ? this.#found : null;
  }
}
