import { randomBytes } from 'node:crypto';
import type { Collection } from 'mongodb';
import type { Database } from './mongodb/database.ts';
import { isDuplicateKey } from './mongodb/errors.ts';

/** A secret that all processes of an installation share, made by the first of them that needs it. */
interface ServerKeyDocument {
  /** Its purpose. */
  _id: string;
  /** Base64. */
  key: string;
  createdAt: Date;
}

/**
 * The collection `server_keys`.
 * @internal exported for tests, which look into the collection
 */
export const serverKeysIn = (database: Database): Collection<ServerKeyDocument> => database.collection('server_keys');

const KEY_BYTES = 32;

/** How many times a process reads the key at most: there is none, another one is on its way to the majority, and then it is there. */
const MAX_TRIES = 5;

/**
 * The installation's key for a purpose. It is inserted once and never changed or removed: a signature made with it stays valid for
 * every process, whenever that starts. If several processes need it at the same moment, one inserts it, and all return that one: a process
 * uses only a key that it has read from the majority, which no failover takes back.
 */
export async function serverKey(database: Database, purpose: string): Promise<Buffer> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const stored = await serverKeysIn(database).findOne({ _id: purpose });
    if (stored !== null) return Buffer.from(stored.key, 'base64');
    await insertOnce(database, purpose, randomBytes(KEY_BYTES));
  }
  throw new Error(`the server key for ${purpose} cannot be read back`);
}

/** If there is one already, waits until the majority has it: an update without effect does that. */
async function insertOnce(database: Database, purpose: string, key: Buffer): Promise<void> {
  try {
    await serverKeysIn(database).updateOne(
      { _id: purpose },
      { $setOnInsert: { key: key.toString('base64'), createdAt: new Date() } },
      { upsert: true },
    );
  } catch (error) {
    // of two concurrent upserts one may report a duplicate key
    if (!isDuplicateKey(error)) throw error;
  }
}
