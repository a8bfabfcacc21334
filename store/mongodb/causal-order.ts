import { AsyncLocalStorage } from 'node:async_hooks';
import {
  AbstractCursor,
  Binary,
  type ClientSession,
  type ClusterTime,
  type MongoClient,
  type ReadConcernLike,
  type ServerDescription,
  type Timestamp,
} from 'mongodb';

/** What the answers so far have shown of a server's history. */
interface Seen {
  /** Every write that was acknowledged, or read, is at or before this. */
  operationTime?: Timestamp | undefined;
  /** Newest time that any answer named; a server that is told it takes no other for newer. */
  clusterTime?: ClusterTime | undefined;
}

/** What is sent with a command. */
export interface CausalOptions {
  readonly session?: ClientSession;
  readonly readConcern?: ReadConcernLike;
}

/** Of each client, as it has a history of its own. */
const current = new AsyncLocalStorage<WeakMap<CausalOrder, Seen>>();

/**
 * Runs work all of whose commands are in causal order: each read sees every write of the work that was acknowledged before it, and
 * all that an earlier read of it has seen, whichever server answers. "Write, then check" relies on it (invariants 3 and 5); see
 * docs/attempts.md. It holds for commands side by side too, and there is nothing to end.
 */
export const inCausalOrder = <T>(work: () => T): T => current.run(new WeakMap(), work);

/**
 * Sends the commands of one client in causal order, where its deployment has such a thing: a replica set or a sharded cluster.
 *
 * Each command has a session of its own, ended with it, that is handed the times which the work has seen so far. The driver counts
 * retryable writes by session, and two at once in one session would get the same number: a server takes the second for the first
 * sent again, and does not carry it out. A session that has met a network error is not used again, by the driver's own care.
 * It costs no command: the driver gives every command a session anyway.
 */
export class CausalOrder {
  readonly #client: MongoClient;
  /** Undefined as long as no server has answered. */
  #isSupported: boolean | undefined;
  /** Time of the primary when this client came to know it as such. */
  #primaryKnownAt: ClusterTime | undefined;
  /** Of reads that may still be sent, for the first time or again. */
  readonly #reading = new Set<ClientSession>();
  #isClosed = false;

  constructor(client: MongoClient) {
    this.#client = client;
    client.on('serverDescriptionChanged', ({ newDescription }) => this.#learn(newDescription));
  }

  /** Nothing is connected any more from now on. */
  close(): void {
    this.#isClosed = true;
  }

  /** Whether a command has to wait until it is known how to send it. */
  get isUnknown(): boolean {
    return current.getStore() !== undefined && this.#isSupported === undefined && !this.#isClosed;
  }

  /** Whether the server is known to be one of several, of which another may take its place. */
  get isReplicated(): boolean {
    return this.#isSupported === true;
  }

  /** Waits until a server has said what it supports. @throws MongoServerSelectionError where none answers in time. */
  async known(): Promise<void> {
    await this.#client.connect();
  }

  /**
   * Sends a command, with what it needs to be in order.
   * @param isRead reads wait for what the work has seen. A write needs not: it runs on the primary's newest data, and is
   *   acknowledged by no other primary.
   */
  send(isRead: boolean, command: (options: CausalOptions) => unknown): unknown {
    const chain = current.getStore();
    if (chain === undefined || this.#isSupported !== true) return command({});
    const seen = chain.get(this) ?? {};
    chain.set(this, seen);
    const session = this.#begin(seen, isRead);
    const end = (): void => {
      learnFrom(session, seen);
      this.#reading.delete(session);
      void session.endSession();
    };
    try {
      // an object of its own: the driver writes the time into it, and would write it into the collection's otherwise
      const result = command({ session, ...(isRead && { readConcern: { level: 'majority' } }) });
      if (result instanceof Promise) return result.finally(end);
      if (result instanceof AbstractCursor) result.once('close', end);
      else end();
      return result;
    } catch (error) {
      end();
      throw error;
    }
  }

  #begin(seen: Seen, isRead: boolean): ClientSession {
    const session = this.#client.startSession({ causalConsistency: true });
    for (const time of [seen.clusterTime, this.#primaryKnownAt]) {
      // the driver refuses a time that nobody has signed
      if (time?.signature !== undefined) session.advanceClusterTime(time);
    }
    if (!isRead) return session;
    if (seen.operationTime !== undefined) session.advanceOperationTime(seen.operationTime);
    if (this.#primaryKnownAt !== undefined) session.advanceOperationTime(this.#primaryKnownAt.clusterTime);
    this.#reading.add(session);
    return session;
  }

  /**
   * A primary holds all that its predecessors have acknowledged, but may not know for a moment that a majority does: reads wait for
   * the time that it named when it first said that it is the primary. Of a sharded cluster only its mongos is known.
   */
  #learn({ type, logicalSessionTimeoutMinutes, $clusterTime }: ServerDescription): void {
    if (type === 'Standalone') this.#isSupported = false;
    if (type === 'LoadBalancer') this.#isSupported = true;
    if (type === 'RSPrimary' || type === 'RSSecondary' || type === 'Mongos')
      this.#isSupported = logicalSessionTimeoutMinutes !== null;
    if (type !== 'RSPrimary' || !$clusterTime) return;
    this.#primaryKnownAt = asSent($clusterTime);
    // the driver sends a read again that the old primary has not answered
    for (const session of this.#reading) session.advanceOperationTime($clusterTime.clusterTime);
  }
}

/** The driver's monitor reads binary data as plain bytes, in which form no session takes it. */
function asSent(time: ClusterTime): ClusterTime {
  const hash: unknown = time.signature?.hash;
  if (time.signature === undefined || !(hash instanceof Uint8Array)) return time;
  return { ...time, signature: { ...time.signature, hash: new Binary(hash) } };
}

function learnFrom({ operationTime, clusterTime }: ClientSession, seen: Seen): void {
  // answers come in any order
  if (operationTime !== undefined && !(seen.operationTime?.greaterThan(operationTime) ?? false))
    seen.operationTime = operationTime;
  if (clusterTime !== undefined && !(seen.clusterTime?.clusterTime.greaterThan(clusterTime.clusterTime) ?? false))
    seen.clusterTime = clusterTime;
}
