import { setTimeout as sleep } from 'node:timers/promises';
import { type Collection, type Document, MongoClient } from 'mongodb';
import { CausalOrder } from './causal-order.ts';
import { failWritesToClosedSockets } from './closed-socket.ts';
import { guardedCollection } from './guarded-collection.ts';

/** Longest wait for a server that can be written to, in ms: a caller gets its 503 within 5 s. */
const SERVER_SELECTION_TIMEOUT_MS = 3_000;

/** Time between two attempts to connect for the first time, in ms. */
const CONNECT_EVERY_MS = 200;

/** Longest silence of one command unless configured, in ms. */
const SOCKET_TIMEOUT_MS = 7_000;

export interface DatabaseOptions {
  /** Longest silence of one command, in ms. What an attempt of an activity sends ends with its time too (`asAttempt`). */
  readonly socketTimeoutMS?: number;
  /**
   * Whether the driver sends a write again that met a network error. A server carries it out once all the same, but it may take
   * twice as long as its caller has: a worker has its attempts repeated by Temporal instead. Default: false.
   */
  readonly retryWrites?: boolean;
  /** Called before each command of a collection; what it throws stops the command. */
  readonly beforeCommand?: () => void;
}

export interface Database {
  /** A collection, guarded (`guarded-collection.ts`). Only the file that owns it calls this. */
  collection<T extends Document>(name: string): Collection<T>;
  /** Whether another server may take this one's place, and not see for a moment what it has acknowledged. */
  isReplicated(): boolean;
  /** Answers when the server does. @throws a MongoDB error when it cannot be reached. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Connects with what the protocol relies on: an acknowledged write survives a failover (`w: majority`, journaled), and a read
 * sees nothing that a failover may take back (`majority` on the primary). That a read sees every write acknowledged before it needs
 * more: a new primary may not know for a moment that what the old one acknowledged is on a majority. Whoever writes and then checks
 * relies on it (invariants 3 and 5), so the commands of an attempt and of a request are in causal order (`causal-order.ts`).
 * Returns at once; connects as soon as that can be.
 */
export async function connectDatabase(
  uri: string,
  name: string,
  { socketTimeoutMS = SOCKET_TIMEOUT_MS, retryWrites = false, beforeCommand }: DatabaseOptions = {},
): Promise<Database> {
  failWritesToClosedSockets();
  const client = new MongoClient(uri, {
    ignoreUndefined: true,
    writeConcern: { w: 'majority', journal: true },
    readConcern: { level: 'majority' },
    readPreference: 'primary',
    serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
    connectTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
    socketTimeoutMS,
    retryWrites,
    appName: 'drover',
  });
  const order = new CausalOrder(client);
  const closed = new AbortController();
  void connectAtLast(client, closed.signal);
  const db = client.db(name);
  const collections = new Map<string, Collection<never>>();
  const collection = <T extends Document>(of: string): Collection<T> => {
    const known = collections.get(of) ?? guardedCollection(db.collection<never>(of), order, beforeCommand);
    collections.set(of, known);
    return known as unknown as Collection<T>; // the caller owns the collection, and knows its type
  };
  return {
    collection,
    isReplicated: () => order.isReplicated,
    ping: async () => {
      await db.command({ ping: 1 });
    },
    close: async () => {
      closed.abort();
      order.close();
      await client.close();
    },
  };
}

/**
 * The driver reconnects by itself, but for its first connection: where that fails, it answers "Topology is closed" for ever,
 * also when the server is there by then.
 */
async function connectAtLast(client: MongoClient, closed: AbortSignal): Promise<void> {
  while (!closed.aborted) {
    try {
      await client.connect();
      return;
    } catch {
      await sleep(CONNECT_EVERY_MS, undefined, { signal: closed, ref: false }).catch(() => undefined);
    }
  }
}
