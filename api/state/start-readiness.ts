import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { startFailure } from '../../services/failures.ts';
import { ensureRecovery } from '../../services/temporal/recovery-workflow.ts';
import { missingSetup } from '../../services/temporal/temporal-setup.ts';
import { ApiError } from '../http/api-error.ts';

/** How long it is known that all is there, in ms; after that it is looked at again, behind the answers. */
const FRESH_MS = 20_000;
/** How long that is believed while nobody has asked, in ms; after that a caller waits for a new look. */
const STALE_MS = 120_000;
/** Least time between two looks while something is missing, in ms: whoever mends it does not wait for us. */
const RETRY_MS = 1_000;
/** Time that one look is given, in ms: with the look whether Temporal is there at all a caller gets its 503 within 5 s. */
const LOOK_TIMEOUT_MS = 2_000;
/** How long no batch is accepted after Temporal has refused a start because it is busy, in ms. */
const BUSY_MS = 2_000;
const BUSY_RETRY_SECONDS = 2;
const SETUP_RETRY_SECONDS = 30;

/**
 * Knows whether Temporal takes the starts of batches, so that none is stored that nobody would start. What is missing (namespace,
 * search attributes) is looked for every now and then; a start that was refused although all is there is believed until one is
 * taken: that of the recovery workflow, which runs already and needs the same rights.
 */
export class StartReadiness {
  readonly #client: Client;
  readonly #taskQueue: string;
  readonly #logger: Logger;
  #missing: readonly string[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;
  /** Temporal has refused a start for a reason that every other start has too. */
  #isRefused = false;
  #busyUntil = 0;

  constructor(parts: { client: Client; taskQueue: string; logger: Logger }) {
    this.#client = parts.client;
    this.#taskQueue = parts.taskQueue;
    this.#logger = parts.logger;
  }

  /** What is missing for batches to be started; empty where nothing is. */
  async missing(): Promise<readonly string[]> {
    const age = performance.now() - this.#lookedAt;
    const isKnownGood = this.#missing.length === 0 && !this.#isRefused;
    if (isKnownGood && age < FRESH_MS) return [];
    if (isKnownGood && age < STALE_MS) void this.#look();
    else if (isKnownGood || age >= RETRY_MS) await this.#look();
    return this.#missing;
  }

  /** @throws ApiError 503 naming what is missing, 429 while Temporal takes no more starts. */
  async assertStarts(): Promise<void> {
    if (performance.now() < this.#busyUntil) {
      throw new ApiError(429, 'Temporal takes no more batches for now', { retryAfterSeconds: BUSY_RETRY_SECONDS });
    }
    const missing = await this.missing();
    if (missing.length === 0) return;
    throw new ApiError(503, `Temporal is not set up for batches: ${missing.join('; ')} (npm run setup)`, {
      retryAfterSeconds: SETUP_RETRY_SECONDS,
      away: 'temporal',
    });
  }

  /** A start of a batch has failed. What is wrong with that one batch alone says nothing of others. */
  startFailed(error: unknown): void {
    const why = startFailure(error);
    if (why === 'busy') this.#busyUntil = performance.now() + BUSY_MS;
    if (why !== 'not_set_up' && why !== 'denied') return;
    this.#isRefused = true;
    this.#missing = [reasonOf(why, error)];
    this.#lookedAt = Number.NEGATIVE_INFINITY;
  }

  /** Many who ask at once cost one look. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const missing = await this.#find();
    this.#lookedAt = performance.now();
    // whether Temporal answers at all is another question
    if (missing === null) return;
    if (missing.length > 0 && this.#missing.length === 0) this.#logger.error({ missing }, 'Temporal is not set up');
    if (missing.length === 0 && this.#missing.length > 0) this.#logger.info('Temporal is set up');
    this.#missing = missing;
    if (missing.length === 0) this.#isRefused = false;
  }

  /** Null where that cannot be known now. */
  async #find(): Promise<readonly string[] | null> {
    try {
      const deadline = Date.now() + LOOK_TIMEOUT_MS;
      const missing = await this.#client.withDeadline(deadline, () => missingSetup(this.#client));
      if (missing.length > 0 || !this.#isRefused) return missing;
    } catch (error) {
      this.#logger.debug({ err: error }, 'what Temporal is set up for could not be looked at');
      return null;
    }
    try {
      await this.#client.withDeadline(Date.now() + LOOK_TIMEOUT_MS, () =>
        ensureRecovery(this.#client, this.#taskQueue),
      );
      return [];
    } catch (error) {
      const why = startFailure(error);
      return why === 'not_set_up' || why === 'denied' ? [reasonOf(why, error)] : null;
    }
  }
}

/** In words of ours: what Temporal says may name what is not a caller's business. */
const reasonOf = (why: 'not_set_up' | 'denied', error: unknown): string =>
  why === 'denied' ? 'permission to start workflows' : attributeIn(error);

function attributeIn(error: unknown): string {
  const text =
    error instanceof Error ? `${error.message} ${error.cause instanceof Error ? error.cause.message : ''}` : '';
  const [name] = /\bDrover\w+/.exec(text) ?? [];
  return name === undefined ? 'its namespace' : `search attribute ${name} (Keyword)`;
}
