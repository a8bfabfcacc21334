import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { isTerminal } from '../../domain/batch/batch.ts';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { type BatchView, type ViewParts, viewBatch } from '../../services/batches/view-batch.ts';
import { type BatchDocument, findBatch } from '../../store/batches/batches.ts';

/** Least time between two looks at a batch, in ms: with the state that a watcher begins with, at most 4 events a second. */
const LOOK_EVERY_MS = 340;
/** Time between two looks at a batch in which nothing changes, in ms. */
const IDLE_LOOK_EVERY_MS = 1_000;
/** Looks without a change after which a batch counts as idle. */
const IDLE_AFTER = 8;
/** Silence on an event stream after which a comment shows that it lives, in ms (contract section 6). */
const COMMENT_EVERY_MS = 15_000;

export interface BatchEvent {
  /** Hash of the state: the same state has the same id in every process. */
  readonly id: string;
  readonly view: BatchView;
  readonly isLast: boolean;
}

/** What a watcher is told: a state, or that there is no more to watch. */
type Listener = (event: BatchEvent | 'over') => void;

interface Watch {
  readonly listeners: Set<Listener>;
  latest: BatchEvent | undefined;
}

/** Watches batches: one look serves all watchers of a batch, and nobody looks at one that nobody watches. */
export class BatchEvents {
  readonly commentEveryMs: number;
  readonly #parts: ViewParts;
  readonly #watches = new Map<string, Watch>();
  readonly #asked = new Map<string, Promise<BatchDocument | null>>();
  /** Outside of any request: a look serves others than the one that caused it, who may have been given up. */
  readonly #outside = AsyncLocalStorage.snapshot();

  constructor(parts: ViewParts, { commentEveryMs = COMMENT_EVERY_MS } = {}) {
    this.#parts = parts;
    this.commentEveryMs = commentEveryMs;
  }

  /** How many batches are being watched. */
  get watched(): number {
    return this.#watches.size;
  }

  /** Tells `listener` the state now and each change. @returns ends the watch. */
  watch(scope: Scope, batchId: string, listener: Listener): () => void {
    const known = this.#watches.get(batchId);
    const watch: Watch = known ?? { listeners: new Set(), latest: undefined };
    watch.listeners.add(listener);
    if (known === undefined) {
      this.#watches.set(batchId, watch);
      this.#outside(() => void this.#look(scope, batchId, watch));
    } else if (known.latest !== undefined) listener(known.latest);
    return () => watch.listeners.delete(listener);
  }

  /** A batch that somebody wants to watch; many who ask at once cost one query. */
  find(scopes: readonly Scope[], batchId: string): Promise<BatchDocument | null> {
    const key = `${scopes.map(scopeKey)}/${batchId}`;
    const ask = () => findBatch(this.#parts.database, scopes, batchId).finally(() => this.#asked.delete(key));
    const asked = this.#asked.get(key) ?? this.#outside(ask);
    this.#asked.set(key, asked);
    return asked;
  }

  /** The state of a batch now. @returns null where there is no such batch (any more). */
  async read(scope: Scope, batchId: string): Promise<BatchEvent | null> {
    const batch = await findBatch(this.#parts.database, scope, batchId);
    if (batch === null) return null;
    const view = await viewBatch(this.#parts, batch, false);
    const { source: _, ...state } = view;
    const id = createHash('sha256').update(JSON.stringify(state)).digest('hex').slice(0, 16);
    return { id, view, isLast: isTerminal(view.status) };
  }

  /** Ends every watch: their clients come back, to another process. */
  stop(): void {
    for (const { listeners } of this.#watches.values()) {
      for (const listener of listeners) listener('over');
      listeners.clear();
    }
  }

  async #look(scope: Scope, batchId: string, watch: Watch): Promise<void> {
    let unchanged = 0;
    while (watch.listeners.size > 0) {
      const event = await this.#tryToRead(scope, batchId);
      if (event !== null && (event === 'over' || event.id !== watch.latest?.id)) {
        unchanged = 0;
        if (event !== 'over') watch.latest = event;
        for (const listener of watch.listeners) listener(event);
        if (event === 'over' || event.isLast) break;
      } else unchanged += 1;
      await new Promise((resolve) => setTimeout(resolve, unchanged > IDLE_AFTER ? IDLE_LOOK_EVERY_MS : LOOK_EVERY_MS));
    }
    this.#watches.delete(batchId);
  }

  /** Null where a server is away: the watchers wait. */
  async #tryToRead(scope: Scope, batchId: string): Promise<BatchEvent | 'over' | null> {
    try {
      return (await this.read(scope, batchId)) ?? 'over';
    } catch {
      return null;
    }
  }
}
