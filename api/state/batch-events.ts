import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTerminal } from '../../domain/batch/batch.ts';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { MAX_EVENTS_PER_SECOND } from '../../domain/limits.ts';
import { type BatchView, type ViewParts, viewBatch } from '../../services/batches/view-batch.ts';
import { type BatchDocument, findBatch } from '../../store/batches/batches.ts';

/** Least time between two reads of a batch, in ms: a watcher's first state is sent at once, the others of its first second after these. */
const READ_EVERY_MS = 1_020 / (MAX_EVENTS_PER_SECOND - 1);
/** Time between two reads of an idle batch, in ms. */
const IDLE_READ_EVERY_MS = 1_000;
/** Reads without a change after which a batch counts as idle. */
const IDLE_AFTER = 8;
/** Time without an event after which a comment shows that the stream is alive, in ms. */
const COMMENT_EVERY_MS = 15_000;

export interface BatchEvent {
  /** Hash of the state: the same state has the same id in every process. */
  readonly id: string;
  readonly view: BatchView;
  readonly isLast: boolean;
}

/** Receives each state, or null if there is nothing more to watch. */
type Listener = (event: BatchEvent | 'over') => void;

interface Watch {
  readonly listeners: Set<Listener>;
  latest: BatchEvent | undefined;
}

/** Watches batches: one read serves all watchers of a batch; a batch without watchers is not read. */
export class BatchEvents {
  readonly commentEveryMs: number;
  readonly #parts: ViewParts;
  readonly #watches = new Map<string, Watch>();
  readonly #finding = new Map<string, Promise<BatchDocument | null>>();
  /** Outside of any request: a read serves other watchers than the request that caused it, which may have been abandoned. */
  readonly #outside = AsyncLocalStorage.snapshot();

  constructor(parts: ViewParts, { commentEveryMs = COMMENT_EVERY_MS } = {}) {
    this.#parts = parts;
    this.commentEveryMs = commentEveryMs;
  }

  /** How many batches are being watched. */
  get watched(): number {
    return this.#watches.size;
  }

  /** Passes the current state and each change to `listener`. @returns a function that ends the watch. */
  watch(scope: Scope, batchId: string, listener: Listener): () => void {
    const known = this.#watches.get(batchId);
    const watch: Watch = known ?? { listeners: new Set(), latest: undefined };
    watch.listeners.add(listener);
    if (known === undefined) {
      this.#watches.set(batchId, watch);
      this.#outside(() => void this.#follow(scope, batchId, watch));
    } else if (known.latest !== undefined) listener(known.latest);
    return () => watch.listeners.delete(listener);
  }

  /** Finds the batch to watch; concurrent callers share one query. */
  find(scopes: readonly Scope[], batchId: string): Promise<BatchDocument | null> {
    const key = `${scopes.map(scopeKey)}/${batchId}`;
    const find = () => findBatch(this.#parts.database, scopes, batchId).finally(() => this.#finding.delete(key));
    const finding = this.#finding.get(key) ?? this.#outside(find);
    this.#finding.set(key, finding);
    return finding;
  }

  /** The present state of a batch. @returns null if there is no such batch (any more). */
  async read(scope: Scope, batchId: string): Promise<BatchEvent | null> {
    const batch = await findBatch(this.#parts.database, scope, batchId);
    if (batch === null) return null;
    const view = await viewBatch(this.#parts, batch, false);
    const { source: _, ...state } = view;
    const id = createHash('sha256').update(JSON.stringify(state)).digest('hex').slice(0, 16);
    return { id, view, isLast: isTerminal(view.status) };
  }

  /** Ends every watch: the clients connect again, to another process. */
  stop(): void {
    for (const { listeners } of this.#watches.values()) {
      for (const listener of listeners) listener('over');
      listeners.clear();
    }
  }

  async #follow(scope: Scope, batchId: string, watch: Watch): Promise<void> {
    let unchanged = 0;
    while (watch.listeners.size > 0) {
      const event = await this.#tryToRead(scope, batchId);
      if (event !== null && (event === 'over' || event.id !== watch.latest?.id)) {
        unchanged = 0;
        if (event !== 'over') watch.latest = event;
        for (const listener of watch.listeners) listener(event);
        if (event === 'over' || event.isLast) break;
      } else unchanged += 1;
      await sleep(unchanged > IDLE_AFTER ? IDLE_READ_EVERY_MS : READ_EVERY_MS);
    }
    this.#watches.delete(batchId);
  }

  /** Null while a server is unavailable: the watchers wait. */
  async #tryToRead(scope: Scope, batchId: string): Promise<BatchEvent | 'over' | null> {
    try {
      return (await this.read(scope, batchId)) ?? 'over';
    } catch {
      return null;
    }
  }
}
