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

/** The times that the answers so far have shown of a server's history. */
interface Seen {
  /** Every write that was acknowledged, or read, is at or before this. */
  operationTime?: Timestamp | undefined;
  /** Newest time that any answer named; a server that receives it advances its own time to it. */
  clusterTime?: ClusterTime | undefined;
}

/** The fields that are sent with a command. */
export interface CausalOptions {
  readonly session?: ClientSession;
  readonly readConcern?: ReadConcernLike;
}

/** For each client, because each has a history of its own. */
const current = new AsyncLocalStorage<WeakMap<CausalOrder, Seen>>();

/**
 * Runs work whose commands are in causal order: each read sees every write of the work that was acknowledged before it, and
 * everything that an earlier read of it has seen, whichever server answers. "Write, then check" relies on it (invariants 3 and 5); see
 * docs/attempts.md. It holds for concurrent commands too, and needs no end.
 */
export const inCausalOrder = <T>(work: () => T): T => current.run(new WeakMap(), work);

/**
 * Sends the commands of one client in causal order, if its deployment supports that: a replica set or a sharded cluster.
 *
 * Each command has a session of its own, ended with it, that receives the times that the work has seen so far. The driver counts
 * retryable writes by session, and two concurrent writes in one session would get the same number: a server would treat the second as a repetition of the
 * first, and not apply it. The driver does not use a session again that has met a network error.
 * It costs no command: the driver gives every command a session anyway.
 */
export class CausalOrder {
  readonly #client: MongoClient;
  /** Undefined as long as no server has answered. */
  #isSupported: boolean | undefined;
  /** Time of the primary when this client learned that it is the primary. */
  #primaryKnownAt: ClusterTime | undefined;
  /** Time for reads that may still be sent, for the first time or again. */
  readonly #reading = new Set<ClientSession>();
  #isClosed = false;

  constructor(client: MongoClient) {
    this.#client = client;
    client.on('serverDescriptionChanged', ({ newDescription }) => this.#learn(newDescription));
  }

  /** From now on nothing is connected any more. */
  close(): void {
    this.#isClosed = true;
  }

  /** Whether a command has to wait until it is known how to send it. */
  get isUnknown(): boolean {
    return current.getStore() !== undefined && this.#isSupported === undefined && !this.#isClosed;
  }

  /** Whether the server is known to be one of several, so that another may replace it. */
  get isReplicated(): boolean {
    return this.#isSupported === true;
  }

  /** Waits until a server has said what it supports. @throws MongoServerSelectionError if none answers in time. */
  async known(): Promise<void> {
    await this.#client.connect();
  }

  /**
   * Sends a command, with the fields that put it in order.
   * @param isRead reads wait for the writes that the work has seen. A write need not wait: it runs on the primary's newest data, and is
   * acknowledged by no other primary.
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
      // a separate object: the driver writes the time into it, and would otherwise write it into the collection's object
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
      // the driver refuses a time that is not signed
      if (time?.signature !== undefined) session.advanceClusterTime(time);
    }
    if (!isRead) return session;
    if (seen.operationTime !== undefined) session.advanceOperationTime(seen.operationTime);
    if (this.#primaryKnownAt !== undefined) session.advanceOperationTime(this.#primaryKnownAt.clusterTime);
    this.#reading.add(session);
    return session;
  }

  /**
   * A primary holds everything that its predecessors have acknowledged, but may not know for a moment that a majority has it: reads wait for
   * the time that it named when it first said that it is the primary. Of a sharded cluster only its mongos is known.
   */
  #learn({ type, logicalSessionTimeoutMinutes, $clusterTime }: ServerDescription): void {
    if (type === 'Standalone') this.#isSupported = false;
    if (type === 'LoadBalancer') this.#isSupported = true;
    if (type === 'RSPrimary' || type === 'RSSecondary' || type === 'Mongos')
      this.#isSupported = logicalSessionTimeoutMinutes !== null;
    if (type !== 'RSPrimary' || !$clusterTime) return;
    this.#primaryKnownAt = asSent($clusterTime);
    // the driver repeats a read that the old primary has not answered
    for (const session of this.#reading) session.advanceOperationTime($clusterTime.clusterTime);
  }
}

/** The driver's monitor reads binary data as plain bytes, a form that no session accepts. */
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
