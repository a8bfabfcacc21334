import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { isBusy } from '../../services/failures.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { type Server, serverUnavailable } from '../http/api-error.ts';

/** Timeout of the probe of a server, in ms: a slow machine is not taken for an outage, and a caller receives its 503 within 5 s. */
const PROBE_TIMEOUT_MS = 3_000;
/** A timer that is late by more than this shows that this process was busy, in ms. */
const BUSY_MS = 500;
/** How often the wait of a busy process is repeated. */
const MAX_BUSY_PROBES = 3;
/** Deadline of the call itself, in ms. Longer than all probes: in a busy process its timer would fire before the answer is read. */
const PING_DEADLINE_MS = (MAX_BUSY_PROBES + 1) * PROBE_TIMEOUT_MS;
/** How long an answer of Temporal counts as proof that it is available, in ms. */
const SEEN_MS = 1_000;

/** Knows whether the servers answer; concurrent callers share one probe. */
export class Health {
  readonly #probes: Readonly<Record<Server, () => Promise<void>>>;
  readonly #running = new Map<Server, Promise<boolean>>();
  #temporalSeenAt = Number.NEGATIVE_INFINITY;

  constructor({ database, client }: { database: Database; client: Client }) {
    this.#probes = { mongodb: () => database.ping(), temporal: () => pingTemporal({ client }) };
  }

  isAnswering(server: Server): Promise<boolean> {
    const probe = this.#running.get(server) ?? this.#probe(server).finally(() => this.#running.delete(server));
    this.#running.set(server, probe);
    return probe;
  }

  /** @throws DroverError 503 if Temporal does not answer. */
  async assertTemporal(): Promise<void> {
    if (!(await this.isTemporalThere())) throw serverUnavailable('temporal');
  }

  /** Whether Temporal answers, or did a moment ago. */
  async isTemporalThere(): Promise<boolean> {
    if (performance.now() - this.#temporalSeenAt < SEEN_MS) return true;
    const isThere = await this.isAnswering('temporal');
    if (isThere) this.#temporalSeenAt = performance.now();
    return isThere;
  }

  async #probe(server: Server): Promise<boolean> {
    const ended = new AbortController();
    const answer = this.#probes[server]().then(
      () => true,
      () => false,
    );
    const late = probeTime(ended.signal).then(
      () => false,
      () => false,
    );
    return Promise.race([answer, late]).finally(() => ended.abort());
  }
}

/**
 * Waits for the time of a probe in which this process was free: while it was busy it could not read an answer, and an answer that
 * has arrived meanwhile is read first.
 */
async function probeTime(signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < MAX_BUSY_PROBES; tries++) {
    const started = performance.now();
    await sleep(PROBE_TIMEOUT_MS, undefined, { signal });
    const isBusy = performance.now() - started > PROBE_TIMEOUT_MS + BUSY_MS;
    await nextTurn();
    await nextTurn();
    if (!isBusy) return;
  }
}

/** @throws ServiceError or a connection error if Temporal cannot be reached. */
async function pingTemporal({ client }: { client: Client }): Promise<void> {
  try {
    await client.withDeadline(Date.now() + PING_DEADLINE_MS, () => client.workflowService.getSystemInfo({}));
  } catch (error) {
    // a busy server is available
    if (!isBusy(error)) throw error;
  }
}
