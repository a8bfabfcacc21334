import { setTimeout as sleep } from 'node:timers/promises';
import { type Collection, type Document, MongoClient } from 'mongodb';
import { traceCommands } from '../telemetry/command-spans.ts';
import { CausalOrder } from './causal-order.ts';
import { failWritesToClosedSockets } from './closed-socket.ts';
import { guardedCollection } from './guarded-collection.ts';

/** Longest wait for a writable server, in ms: a caller gets its 503 within 5 s. */
const SERVER_SELECTION_TIMEOUT_MS = 3_000;

/** Time between two attempts to connect for the first time, in ms. */
const CONNECT_EVERY_MS = 200;

/** Longest wait for one command unless configured, in ms. */
const SOCKET_TIMEOUT_MS = 7_000;

interface DatabaseOptions {
  /** Longest wait for one command, in ms. A command of an activity's attempt also ends with the attempt's time (`asAttempt`). */
  readonly socketTimeoutMS?: number;
  /**
   * Whether the driver repeats a write after a network error. A server applies it only once, but it may take
   * twice the time that its caller has: in a worker Temporal repeats the attempt instead. Default: false.
   */
  readonly retryWrites?: boolean;
  /** Whether commands become spans of what is traced. */
  readonly isTraced?: boolean;
  /** Called before each command of a collection; an error that it throws stops the command. */
  readonly beforeCommand?: () => void;
}

export interface Database {
  /** A collection, guarded (`guarded-collection.ts`). Only the file that owns it calls this. */
  collection<T extends Document>(name: string): Collection<T>;
  /** Whether another server may replace this one, and not see for a moment what it has acknowledged. */
  isReplicated(): boolean;
  /** Resolves when the server answers. @throws a MongoDB error if it cannot be reached. */
  ping(): Promise<void>;
  /** Version of the server. @throws a MongoDB error if it cannot be reached. */
  version(): Promise<string>;
  close(): Promise<void>;
}

/**
 * Connects with the settings that the protocol relies on: an acknowledged write survives a failover (`w: majority`, journaled), and a read
 * sees nothing that a failover may take back (`majority` on the primary). For a read to see every write acknowledged before it, this is
 * not enough: a new primary may not know for a moment that a majority has the writes that the old one acknowledged. Processes that write and then check
 * rely on it (invariants 3 and 5), so the commands of an attempt and of a request are in causal order (`causal-order.ts`).
 * Returns at once; connects as soon as possible.
 */
export async function connectDatabase(
  uri: string,
  name: string,
  { socketTimeoutMS = SOCKET_TIMEOUT_MS, retryWrites = false, isTraced = false, beforeCommand }: DatabaseOptions = {},
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
    ...(isTraced && { monitorCommands: true }),
  });
  if (isTraced) traceCommands(client);
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
    version: async () => String((await db.command({ buildInfo: 1 })).version),
    close: async () => {
      closed.abort();
      order.close();
      await client.close();
    },
  };
}

/**
 * The driver reconnects by itself, except for its first connection: if that fails, it answers "Topology is closed" for ever,
 * even when the server is available by then.
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
