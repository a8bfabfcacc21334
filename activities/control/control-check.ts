import type { BatchDocument } from '../../store/batches/batches.ts';
import { type Halt, haltOf, readHalt } from '../../store/batches/halts.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { Controlled } from '../../workflows/messages.ts';

/** Resources that are worked on between two checks, but for what cannot be divided. */
export const RESOURCES_PER_SLICE = 100;
/** Time after which work checks again, in ms. */
export const CHECK_EVERY_MS = 250;

/**
 * Whether work on a batch may go on. A caller is told that a batch is suspended, cancelled or removed after that is stored, so
 * an activity that checks here before each slice of work begins nothing after the answer.
 */
export class ControlCheck {
  readonly #database: Database;
  readonly #of: Controlled;
  readonly #heeds: ReadonlySet<Halt>;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #found: Halt | null = null;
  /** The check that is under way. */
  #checking: Promise<Halt | null> | undefined;

  /** @param heeds what stops this work; that its run is gone always does. */
  constructor(database: Database, of: Controlled, heeds: readonly Halt[] = ['suspended', 'cancelled']) {
    this.#database = database;
    this.#of = of;
    this.#heeds = new Set(['gone', ...(of.keepsLeft ? heeds : [])]);
  }

  /** Takes a batch that was just read as a check. */
  asRead(batch: BatchDocument | null): Halt | null {
    this.#checkedAt = performance.now();
    this.#found = haltOf(batch, this.#of.run);
    return this.#heeded();
  }

  /** The run was over at the last check. */
  get isGone(): boolean {
    return this.#found === 'gone';
  }

  /** Checks now. @returns why the work is to stop; null where it may go on. */
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
   * Checks if the last check is `CHECK_EVERY_MS` ago, for work in steps that are much shorter. Steps side by side wait for the
   * one check: what was found before it is out of date.
   */
  async inTime(): Promise<Halt | null> {
    if (performance.now() - this.#checkedAt >= CHECK_EVERY_MS) return this.now();
    return this.#checking ?? this.#heeded();
  }

  #heeded(): Halt | null {
    return this.#found !== null && this.#heeds.has(this.#found) ? this.#found : null;
  }
}
