import { setTimeout as sleep } from 'node:timers/promises';
import { TERMINAL_STATUSES } from '../workload/answers.ts';
import type { KindName } from '../workload/definitions.ts';
import type { Random } from '../workload/random.ts';
import type { World } from '../workload/world.ts';
import type { ApiClient } from './client.ts';
import { NoAnswerError } from './errors.ts';
import type { Journal, SentRequest } from './journal.ts';

const UNSUCCESSFUL: readonly string[] = ['failed', 'expired', 'cancelled'];
const POLL_MS = 800;
/** Ends of batches that are read at a time. */
const PER_POLL = 12;
const READ_EVERY_MS = 60;

interface Watched {
  readonly tenant: string;
  readonly kind: KindName;
  readonly operation: SentRequest['operation'];
  /** Without it the checker would not know what else has changed. */
  readonly isNeeded: boolean;
}

/** Watches batches to their end and reads resources meanwhile: what it sees while faults last must hold when all is over. */
export class Observer {
  readonly #client: ApiClient;
  readonly #journal: Journal;
  readonly #worlds: ReadonlyMap<string, World>;
  readonly #open = new Map<string, Watched>();
  /** Tenant, and whether there is something to retry. */
  readonly #finished = new Map<string, { readonly tenant: string; readonly hasFailed: boolean }>();

  readonly #undoable = new Set<string>();

  constructor(client: ApiClient, journal: Journal, worlds: ReadonlyMap<string, World>) {
    this.#client = client;
    this.#journal = journal;
    this.#worlds = worlds;
  }

  /** Batches that are not known to be finished. */
  get openCount(): number {
    return this.#open.size;
  }

  watch({ tenant, kind, operation, options }: SentRequest, batchId: string): void {
    if (this.#finished.has(batchId)) return;
    const isNeeded = Boolean(options.cascade || options.deleteAll || options.undoable);
    if (options.undoable) this.#undoable.add(batchId);
    this.#open.set(batchId, { tenant, kind, operation, isNeeded });
  }

  /** It was removed. */
  forget(batchId: string): void {
    this.#open.delete(batchId);
    this.#finished.delete(batchId);
  }

  /** A batch of the tenant that is running, and one that is finished; undefined where none is known. */
  someRunning(tenant: string, random: Random): string | undefined {
    const ids = [...this.#open].flatMap(([id, watched]) => (watched.tenant === tenant ? [id] : []));
    return ids.length > 0 ? random.pick(ids) : undefined;
  }

  /** One that is running and that the checker can do without. */
  someToRemove(tenant: string, random: Random): string | undefined {
    const ids = [...this.#open].flatMap(([id, of]) => (of.tenant === tenant && !of.isNeeded ? [id] : []));
    return ids.length > 0 ? random.pick(ids) : undefined;
  }

  someFinished(tenant: string, random: Random): string | undefined {
    const own = [...this.#finished].filter(([, of]) => of.tenant === tenant);
    const failed = own.filter(([, { hasFailed }]) => hasFailed);
    // a retry of what has all succeeded is a 409
    const some = (failed.length > 0 && random.chance(0.8) ? failed : own).slice(-20);
    return some.length > 0 ? random.pick(some)[0] : undefined;
  }

  /** One that can be undone: a finished one mostly. */
  someUndoable(tenant: string, random: Random): string | undefined {
    const own = [...this.#finished].flatMap(([id, of]) => (of.tenant === tenant && this.#undoable.has(id) ? [id] : []));
    const running = [...this.#open].flatMap(([id, of]) => (of.tenant === tenant && this.#undoable.has(id) ? [id] : []));
    const some = running.length > 0 && random.chance(0.1) ? running : own.slice(-30);
    return some.length > 0 ? random.pick(some) : undefined;
  }

  async watchBatches(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      await sleep(POLL_MS);
      for (const tenant of this.#worlds.keys()) {
        const at = Date.now();
        const batches = await this.#unlessUnanswered(() => this.#client.newestBatches(tenant));
        const ended = (batches ?? []).filter(
          ({ batchId, status }) => this.#open.has(batchId) && TERMINAL_STATUSES.includes(status),
        );
        await Promise.all(ended.slice(0, PER_POLL).map(({ batchId }) => this.#readEnd(tenant, batchId, at)));
      }
    }
  }

  async #readEnd(tenant: string, batchId: string, at: number): Promise<void> {
    const items = await this.#unlessUnanswered(() => this.#client.items(tenant, batchId));
    const watched = this.#open.get(batchId);
    if (items === null || watched === undefined) return;
    this.#open.delete(batchId);
    this.#journal.seen.push({ tenant, batchId, at, by: Date.now(), items });
    this.#finished.set(batchId, { tenant, hasFailed: items.some(({ status }) => UNSUCCESSFUL.includes(status)) });
    for (const { externalId, status } of items) {
      if (externalId !== null && status === 'succeeded')
        this.#worlds.get(tenant)?.note(watched.kind, externalId, watched.operation !== 'delete');
    }
  }

  /** Null where there is no answer. */
  async #unlessUnanswered<T>(ask: () => Promise<T | null>): Promise<T | null> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof NoAnswerError) return null;
      throw error;
    }
  }

  async readResources(random: Random, kinds: readonly KindName[], stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      await sleep(READ_EVERY_MS);
      const [tenant, world] = random.pick([...this.#worlds]);
      const kind = random.pick(kinds);
      const externalId = random.chance(0.7) ? world.known(kind, random) : world.recent(kind, random);
      const from = Date.now();
      await this.#unlessUnanswered(async () => {
        const resource = await this.#client.resource(tenant, kind, externalId);
        this.#journal.reads.push({ tenant, kind, externalId, from, to: Date.now(), resource });
        return resource;
      });
    }
  }
}
