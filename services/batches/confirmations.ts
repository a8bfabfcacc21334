import type { Logger } from 'pino';
import { recordInserted } from '../../store/batches/idempotency-keys.ts';
import { type BatchRun, confirmStarts } from '../../store/batches/to-recover.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** Time for which confirmations are collected before they are written together, in ms. */
const GATHER_MS = 100;
/** Largest number of each kind that is kept; more are dropped. */
const MOST_KEPT = 10_000;
/** Largest number in one command. */
const MOST_AT_ONCE = 1_000;

/**
 * Confirms, after the answers, that batches were started and that the batches of keys were inserted, many in one write: recovery then checks
 * only the others. A lost confirmation costs recovery a check, never a batch: nothing is retried here.
 */
export class Confirmations {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #started: BatchRun[] = [];
  readonly #inserted: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor({ database, logger }: { database: Database; logger: Logger }) {
    this.#database = database;
    this.#logger = logger;
  }

  /** The workflow of this run is started. */
  started({ _id, run }: BatchRun): void {
    if (this.#started.length < MOST_KEPT) this.#started.push({ _id, run });
    this.#schedule();
  }

  /** The batch of this key is inserted. */
  inserted(keyId: string): void {
    if (this.#inserted.length < MOST_KEPT) this.#inserted.push(keyId);
    this.#schedule();
  }

  /** Writes the collected confirmations; to be called before the database is closed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS).unref();
  }

  async #write(): Promise<void> {
    try {
      while (this.#started.length > 0) await confirmStarts(this.#database, this.#started.splice(0, MOST_AT_ONCE));
      while (this.#inserted.length > 0) await recordInserted(this.#database, this.#inserted.splice(0, MOST_AT_ONCE));
    } catch (error) {
      this.#logger.debug({ err: error }, 'confirmations are lost; recovery finds out by itself');
    }
  }
}
