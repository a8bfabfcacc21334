import { createHash } from 'node:crypto';
import type { Collection } from 'mongodb';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { CLOCKS_DIFFER_MS } from '../../domain/clocks.ts';
import { IDEMPOTENCY_KEY_KEPT_MS } from '../../domain/limits.ts';
import type { Database } from '../mongodb/database.ts';
import { updateEach } from '../mongodb/each-by-id.ts';
import { isDuplicateKey } from '../mongodb/errors.ts';
import type { NewResourceBatch } from './batches.ts';

/**
 * How long a key is kept, in ms: a day, whichever process's clock is asked.
 * @internal exported for tests, which compare with it
 */
export const KEY_KEPT_MS = IDEMPOTENCY_KEY_KEPT_MS + CLOCKS_DIFFER_MS;

/** How much later MongoDB removes a key by itself, in ms: only after it has expired by every process's clock. */
const REMOVED_AFTER_MS = 60 * 60 * 1000;

/** An idempotency key of a tenant, and the batch that it is bound to: the insert is the moment of acceptance. */
interface IdempotencyKeyDocument {
  _id: string;
  /** Hash of operation, schema definition, options and the bytes of the body: earlier versions compare it. */
  fingerprint: string;
  /** Hash of operation, options and the JSON value of the body. Absent in keys of earlier versions. */
  canonical?: string;
  /** All names by which a path may call the schema definition, in lower case: the definition may be deleted while the key is kept. */
  schemaNames?: string[];
  batch: NewResourceBatch;
  /** The batch has been inserted: if it does not exist, it has been deleted. */
  inserted: boolean;
  boundAt: Date;
  /** When MongoDB may remove it by itself. Absent in keys of earlier versions, which recovery removes. */
  expiresAt?: Date;
}

/**
 * The collection `idempotency_keys`.
 * @internal exported for tests, which look into the collection
 */
export const idempotencyKeysIn = (database: Database): Collection<IdempotencyKeyDocument> =>
  database.collection('idempotency_keys');

export type KeyBinding = Pick<
  IdempotencyKeyDocument,
  '_id' | 'fingerprint' | 'canonical' | 'schemaNames' | 'batch' | 'inserted'
>;

/** Keys are free text of up to 255 characters; hashed, they are short and contain no operator. */
const keyId = (scope: Scope, key: string): string =>
  `${scopeKey(scope)}/${createHash('sha256').update(key).digest('hex')}`;

export async function findBinding(database: Database, scope: Scope, key: string): Promise<KeyBinding | null> {
  return idempotencyKeysIn(database).findOne({
    _id: keyId(scope, key),
    boundAt: { $gt: new Date(Date.now() - KEY_KEPT_MS) },
  });
}

/** Binds a key, unless it is bound; of concurrent senders one binds it. @returns the binding. */
export async function bindKey(
  database: Database,
  scope: Scope,
  binding: Pick<IdempotencyKeyDocument, 'fingerprint' | 'canonical' | 'schemaNames' | 'batch'> & {
    readonly key: string;
  },
): Promise<KeyBinding> {
  const { key, ...bound } = binding;
  const now = Date.now();
  const document: IdempotencyKeyDocument = {
    _id: keyId(scope, key),
    ...bound,
    inserted: false,
    boundAt: new Date(now),
    expiresAt: new Date(now + KEY_KEPT_MS + REMOVED_AFTER_MS),
  };
  await idempotencyKeysIn(database).deleteOne({
    _id: document._id,
    boundAt: { $lte: new Date(Date.now() - KEY_KEPT_MS) },
  });
  try {
    await idempotencyKeysIn(database).insertOne(document);
    return document;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return (await findBinding(database, scope, key)) ?? bindKey(database, scope, binding);
}

/** The present binding, however old. */
export async function readBinding(database: Database, id: string): Promise<KeyBinding | null> {
  return idempotencyKeysIn(database).findOne({ _id: id });
}

/** Bound keys whose batch is not known to be inserted, older than `before`: their sender may have died in between. */
export async function uninsertedBindings(
  database: Database,
  before: Date,
  limit: number,
): Promise<IdempotencyKeyDocument[]> {
  return idempotencyKeysIn(database)
    .find({ inserted: false, boundAt: { $lt: before } })
    .sort({ boundAt: 1 })
    .limit(limit)
    .toArray();
}

/** Of these batches, those to which a key is bound, and that are not known to be inserted. */
export async function uninsertedAmong(database: Database, batchIds: readonly string[]): Promise<string[]> {
  const found = await idempotencyKeysIn(database)
    .find({ 'batch._id': { $in: [...batchIds] }, inserted: false }, { projection: { 'batch._id': 1 } })
    .toArray();
  return found.map(({ batch }) => batch._id);
}

/** Notes that the batches of these keys are inserted. Safe to repeat, and to lose: recovery checks for itself. */
export async function recordInserted(database: Database, ids: readonly string[]): Promise<void> {
  await idempotencyKeysIn(database).updateMany({ _id: { $in: [...ids] } }, { $set: { inserted: true } });
}

/** Removes some of the keys that are older than they are kept, as MongoDB does by itself. @returns how many. */
export async function removeOldKeys(database: Database, limit: number): Promise<number> {
  const old = { boundAt: { $lte: new Date(Date.now() - KEY_KEPT_MS) } };
  const found = await idempotencyKeysIn(database)
    .find(old, { projection: { _id: 1 } })
    .limit(limit)
    .toArray();
  if (found.length === 0) return 0;
  // a key that has been bound again since then stays; one that the delete misses is found by the next pass
  const { deletedCount } = await idempotencyKeysIn(database).deleteMany({
    _id: { $in: found.map(({ _id }) => _id) },
    ...old,
  });
  return deletedCount;
}

/** A batch that is deleted is not inserted again by a late sender of the same key. */
export async function recordBatchDeleted(database: Database, batchId: string): Promise<void> {
  const keys = await idempotencyKeysIn(database)
    .find({ 'batch._id': batchId }, { projection: { _id: 1 } })
    .toArray();
  const ids = keys.map(({ _id }) => _id);
  await updateEach(idempotencyKeysIn(database), ids, { 'batch._id': batchId }, { $set: { inserted: true } });
}
