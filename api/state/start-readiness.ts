import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { DroverError } from '../../domain/errors.ts';
import { startFailure } from '../../services/failures.ts';
import { ensureRecovery } from '../../services/temporal/recovery-workflow.ts';
import { missingSetup } from '../../services/temporal/temporal-setup.ts';
import { ApiError } from '../http/api-error.ts';

/** How long a complete setup counts as checked, in ms; after that it is checked again in the background. */
const FRESH_MS = 20_000;
/** How long it counts without any check, in ms; after that a caller waits for a new check. */
const STALE_MS = 120_000;
/** Least time between two checks while something is missing, in ms: a repaired setup is found soon. */
const RETRY_MS = 1_000;
/** Timeout of one check, in ms: together with the probe of Temporal, a caller receives its 503 within 5 s. */
const CHECK_TIMEOUT_MS = 2_000;
/** How long no batch is accepted after Temporal has refused a start because it is busy, in ms. */
const BUSY_MS = 2_000;

/**
 * Knows whether Temporal accepts the starts of batches, so that no batch is stored that could not be started. The namespace and the
 * search attributes are checked periodically. A start that was refused although nothing is missing counts until another one is
 * accepted: that of the recovery workflow, which runs already and needs the same permission.
 */
export class StartReadiness {
  readonly #client: Client;
  readonly #taskQueue: string;
  readonly #logger: Logger;
  #missing: readonly string[] = [];
  #checkedAt = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | undefined;
  /** Temporal has refused a start for a reason that every other start has too. */
  #isRefused = false;
  #busyUntil = 0;

  constructor(parts: { client: Client; taskQueue: string; logger: Logger }) {
    this.#client = parts.client;
    this.#taskQueue = parts.taskQueue;
    this.#logger = parts.logger;
  }

  /** The missing parts without which batches cannot be started; empty if nothing is missing. */
  async missing(): Promise<readonly string[]> {
    const age = performance.now() - this.#checkedAt;
    const isKnownGood = this.#missing.length === 0 && !this.#isRefused;
    if (isKnownGood && age < FRESH_MS) return [];
    if (isKnownGood && age < STALE_MS) void this.#check();
    else if (isKnownGood || age >= RETRY_MS) await this.#check();
    return this.#missing;
  }

  /** @throws DroverError 503 naming what is missing, 429 while Temporal accepts no more starts. */
  async assertStarts(): Promise<void> {
    if (performance.now() < this.#busyUntil) {
      throw new DroverError('temporal_busy', 'Temporal accepts no more batches for now');
    }
    const missing = await this.missing();
    if (missing.length === 0) return;
    throw new ApiError(
      'temporal_not_set_up',
      `Temporal is not set up for batches: ${missing.join('; ')} (npm run setup)`,
      {
        server: 'temporal',
      },
    );
  }

  /** A start of a batch has failed. A failure because of that batch alone says nothing about others. */
  startFailed(error: unknown): void {
    const why = startFailure(error);
    if (why === 'busy') this.#busyUntil = performance.now() + BUSY_MS;
    if (why !== 'not_set_up' && why !== 'denied') return;
    this.#isRefused = true;
    this.#missing = [reasonOf(why, error)];
    this.#checkedAt = Number.NEGATIVE_INFINITY;
  }

  /** Concurrent callers share one check. */
  #check(): Promise<void> {
    this.#checking ??= this.#checkOnce().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #checkOnce(): Promise<void> {
    const missing = await this.#find();
    this.#checkedAt = performance.now();
    // whether Temporal answers at all is checked elsewhere
    if (missing === null) return;
    if (missing.length > 0 && this.#missing.length === 0) this.#logger.error({ missing }, 'Temporal is not set up');
    if (missing.length === 0 && this.#missing.length > 0) this.#logger.info('Temporal is set up');
    this.#missing = missing;
    if (missing.length === 0) this.#isRefused = false;
  }

  /** Null if that cannot be known now. */
  async #find(): Promise<readonly string[] | null> {
    try {
      const deadline = Date.now() + CHECK_TIMEOUT_MS;
      const missing = await this.#client.withDeadline(deadline, () => missingSetup(this.#client));
      if (missing.length > 0 || !this.#isRefused) return missing;
    } catch (error) {
      this.#logger.debug({ err: error }, 'the setup of Temporal could not be checked');
      return null;
    }
    try {
      await this.#client.withDeadline(Date.now() + CHECK_TIMEOUT_MS, () =>
        ensureRecovery(this.#client, this.#taskQueue),
      );
      return [];
    } catch (error) {
      const why = startFailure(error);
      return why === 'not_set_up' || why === 'denied' ? [reasonOf(why, error)] : null;
    }
  }
}

/** A message in fixed words: Temporal's own message may contain names that callers must not see. */
const reasonOf = (why: 'not_set_up' | 'denied', error: unknown): string =>
  why === 'denied' ? 'permission to start workflows' : attributeIn(error);

function attributeIn(error: unknown): string {
  const text =
    error instanceof Error ? `${error.message} ${error.cause instanceof Error ? error.cause.message : ''}` : '';
  const [name] = /\bDrover\w+/.exec(text) ?? [];
  return name === undefined ? 'its namespace' : `search attribute ${name} (Keyword)`;
}
