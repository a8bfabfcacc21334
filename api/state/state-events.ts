import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BatchStatus, isTerminal } from '../../domain/batch/batch.ts';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { MAX_EVENTS_PER_SECOND } from '../../domain/limits.ts';

/** Least time between two reads of one state, in ms: a watcher's first state is sent at once, the others of its first second after these. */
const READ_EVERY_MS = 1_020 / (MAX_EVENTS_PER_SECOND - 1);
/** Time between two reads of a state that does not change, in ms. */
const IDLE_READ_EVERY_MS = 1_000;
/** Reads without a change after which that is so. */
const IDLE_AFTER = 8;
/** Time without an event after which a comment shows that the stream is alive, in ms. */
const COMMENT_EVERY_MS = 15_000;

interface State {
  readonly status: BatchStatus;
}

/** What is watched: batches, or imports. */
interface Watchable<Document, View> {
  /** Of one of these scopes. */
  find(scopes: readonly Scope[], id: string): Promise<Document | null>;
  view(document: Document): Promise<View>;
  /** What of a view makes it another state: without what changes with time alone. */
  stateOf(view: View): object;
}

export interface StateEvent<View> {
  /** Hash of the state: the same state has the same id in every process. */
  readonly id: string;
  readonly view: View;
  readonly isLast: boolean;
}

/** Receives each state, or `over` if there is nothing more to watch. */
type Listener<View> = (event: StateEvent<View> | 'over') => void;

interface Watch<View> {
  readonly listeners: Set<Listener<View>>;
  latest: StateEvent<View> | undefined;
}

/** Watches the states of batches, or of imports: one read serves all watchers of one; without watchers nothing is read. */
export class StateEvents<Document, View extends State> {
  readonly commentEveryMs: number;
  readonly #watched: Watchable<Document, View>;
  readonly #watches = new Map<string, Watch<View>>();
  readonly #finding = new Map<string, Promise<Document | null>>();
  /** Outside of any request: a read serves other watchers than the request that caused it, which may have been abandoned. */
  readonly #outside = AsyncLocalStorage.snapshot();

  constructor(watched: Watchable<Document, View>, { commentEveryMs = COMMENT_EVERY_MS } = {}) {
    this.#watched = watched;
    this.commentEveryMs = commentEveryMs;
  }

  /** How many are being watched. */
  get watched(): number {
    return this.#watches.size;
  }

  /** Passes the current state and each change to `listener`. @returns a function that ends the watch. */
  watch(scope: Scope, id: string, listener: Listener<View>): () => void {
    const known = this.#watches.get(id);
    const watch: Watch<View> = known ?? { listeners: new Set(), latest: undefined };
    watch.listeners.add(listener);
    if (known === undefined) {
      this.#watches.set(id, watch);
      this.#outside(() => void this.#follow(scope, id, watch));
    } else if (known.latest !== undefined) listener(known.latest);
    return () => watch.listeners.delete(listener);
  }

  /** Finds what is to be watched; concurrent callers share one query. */
  find(scopes: readonly Scope[], id: string): Promise<Document | null> {
    const key = `${scopes.map(scopeKey)}/${id}`;
    const find = () => this.#watched.find(scopes, id).finally(() => this.#finding.delete(key));
    const finding = this.#finding.get(key) ?? this.#outside(find);
    this.#finding.set(key, finding);
    return finding;
  }

  /** The present state. @returns null if there is no such thing (any more). */
  async read(scope: Scope, id: string): Promise<StateEvent<View> | null> {
    const found = await this.#watched.find([scope], id);
    if (found === null) return null;
    const view = await this.#watched.view(found);
    const state = JSON.stringify(this.#watched.stateOf(view));
    const hash = createHash('sha256').update(state).digest('hex').slice(0, 16);
    return { id: hash, view, isLast: isTerminal(view.status) };
  }

  /** Ends every watch: the clients connect again, to another process. */
  stop(): void {
    for (const { listeners } of this.#watches.values()) {
      for (const listener of listeners) listener('over');
      listeners.clear();
    }
  }

  async #follow(scope: Scope, id: string, watch: Watch<View>): Promise<void> {
    let unchanged = 0;
    while (watch.listeners.size > 0) {
      const event = await this.#tryToRead(scope, id);
      if (event !== null && (event === 'over' || event.id !== watch.latest?.id)) {
        unchanged = 0;
        if (event !== 'over') watch.latest = event;
        for (const listener of watch.listeners) listener(event);
        if (event === 'over' || event.isLast) break;
      } else unchanged += 1;
      await sleep(unchanged > IDLE_AFTER ? IDLE_READ_EVERY_MS : READ_EVERY_MS);
    }
    this.#watches.delete(id);
  }

  /** Null while a server is unavailable: the watchers wait. */
  async #tryToRead(scope: Scope, id: string): Promise<StateEvent<View> | 'over' | null> {
    try {
      return (await this.read(scope, id)) ?? 'over';
    } catch {
      return null;
    }
  }
}
