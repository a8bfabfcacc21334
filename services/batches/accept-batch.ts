import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { ResourceBatch, Terminate } from '../../domain/batch/batch.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import { DroverError, hasCode } from '../../domain/errors.ts';
import {
  type BatchDocument,
  insertBatch,
  type NewBatch,
  readBatch,
  toBatchDocument,
} from '../../store/batches/batches.ts';
import { bindKey, findBinding, type KeyBinding, readBinding } from '../../store/batches/idempotency-keys.ts';
import { itemKey } from '../../store/items/item-keys.ts';
import { type NewItem, removeItemPages, writeItemPages } from '../../store/items/item-pages.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { traceBatch } from '../../store/telemetry/trace-batch.ts';
import type { Confirmations } from './confirmations.ts';
import { type StartParts, startBatch } from './start-batch.ts';

export interface AcceptParts extends StartParts {
  readonly database: Database;
  readonly logger: Logger;
  readonly confirmations: Confirmations;
  /** Called with the reason if Temporal does not accept a start: if every other start would fail too, no more batches are accepted. */
  startFailed(error: unknown): void;
}

/** A request that has passed every check of its envelope. */
type BatchRequest = ResourceBatchRequest | (Terminate & RequestedItems & { readonly idempotency?: never });

/** @internal exported for tests, which accept batches by it */
export type ResourceBatchRequest = ResourceBatch &
  RequestedItems & {
    readonly idempotency?: KeyedRequest & {
      /** All names by which a path may call the schema definition, in lower case. */
      readonly schemaNames: readonly string[];
    };
  };

export interface RequestedItems
  extends Pick<NewBatch, 'scope' | 'pageSize' | 'label' | 'priority' | 'isForAll' | 'startAt' | 'createdBy'> {
  /** Items in the order received, in pages of `pageSize`; read once. */
  readonly pages: Iterable<readonly NewItem[]> | AsyncIterable<readonly NewItem[]>;
}

/** The identity of a request under an Idempotency-Key, by which a repetition is recognised. */
export interface KeyedRequest {
  readonly key: string;
  /** Hash of operation, options and the JSON value of the body: white space and the order of members do not count. */
  readonly canonical: string;
  /** Hash of the same, a schema definition and the bytes of the body: keys of earlier versions are bound to it. */
  fingerprintFor(schemaDefinitionId: string): string;
}

/**
 * Accepts a batch: its items are written, then the batch itself, which is the moment of acceptance (invariant 1); then its
 * workflow is started. If Temporal is unavailable by then, recovery starts it. With an idempotency key, the insert of the key
 * is the moment of acceptance: a later request that is the same finds the batch of the first one, and finishes what the first one
 * has not reached.
 * @throws DroverError `key_reused` if the key is bound to another request.
 */
export async function acceptBatch(parts: AcceptParts, request: BatchRequest): Promise<BatchDocument> {
  if (request.idempotency !== undefined) return acceptUnderKey(parts, request, request.idempotency);
  const { pages, idempotency: _, ...about } = request;
  const batch = { ...about, ...(await writePages(parts.database, request)) };
  return begin(parts, await insertBatch(parts.database, batch));
}

async function acceptUnderKey(
  parts: AcceptParts,
  request: ResourceBatchRequest,
  keyed: NonNullable<ResourceBatchRequest['idempotency']>,
): Promise<BatchDocument> {
  const { database } = parts;
  const { pages, idempotency: _, ...about } = request;
  const { scope, schemaDefinitionId } = about;
  const earlier = await findBinding(database, scope, keyed.key);
  if (earlier !== null) return resume(parts, schemaDefinitionId, keyed, earlier);
  const batch = { ...about, ...(await writePages(database, request)) };
  const { key, canonical, schemaNames } = keyed;
  const fingerprint = keyed.fingerprintFor(schemaDefinitionId);
  const bound = await bindKey(database, scope, { key, canonical, fingerprint, schemaNames: [...schemaNames], batch });
  if (bound.batch._id !== batch._id) {
    await removeItemPages(database, batch);
    return resume(parts, schemaDefinitionId, keyed, bound);
  }
  const inserted = await insertBatch(database, batch);
  parts.confirmations.inserted(bound._id);
  return begin(parts, inserted);
}

/** Writes the items of a batch that does not exist yet, and makes its id. */
async function writePages(
  database: Database,
  request: BatchRequest,
): Promise<Pick<NewBatch, '_id' | 'total' | 'createdAt'>> {
  const { pages, scope, operation } = request;
  const keyOf = operation === 'terminate' ? undefined : (externalId: string) => itemKey(scope, externalId);
  const _id = uuidv7();
  traceBatch(_id);
  let total = 0;
  let page = 0;
  for await (const items of pages) {
    await writeItemPages(database, { batchId: _id, keyOf }, items, request.pageSize, page);
    total += items.length;
    page += Math.ceil(items.length / request.pageSize);
  }
  return { _id, total, createdAt: timeOf(_id) };
}

/** The time in an id of version 7: lists of batches are ordered by id, and so by date too. */
export const timeOf = (id: string): Date => new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));

/**
 * The batch that an earlier request under the same key started, if its path named the schema definition in the same way (the definition may be deleted
 * by now); null if the key is not bound, or is bound to a request with another schema definition in its path.
 * @throws DroverError `key_reused` if the key is bound to another request.
 */
export async function findAccepted(
  parts: AcceptParts,
  scope: Scope,
  keyed: KeyedRequest,
  schemaNameOrId: string,
): Promise<BatchDocument | null> {
  const bound = await findBinding(parts.database, scope, keyed.key);
  if (bound === null) return null;
  const { schemaDefinitionId, schemaName } = bound.batch;
  const names = bound.schemaNames ?? [schemaDefinitionId, schemaName].map((name) => name.toLowerCase());
  return names.includes(schemaNameOrId.toLowerCase()) ? resume(parts, schemaDefinitionId, keyed, bound) : null;
}

/**
 * The batch of the first sender of the same request; inserted and started here if that sender has not done it.
 */
async function resume(
  parts: AcceptParts,
  schemaDefinitionId: string,
  keyed: KeyedRequest,
  bound: KeyBinding,
): Promise<BatchDocument> {
  const isSame =
    bound.canonical === undefined
      ? bound.fingerprint === keyed.fingerprintFor(schemaDefinitionId)
      : bound.canonical === keyed.canonical && bound.batch.schemaDefinitionId === schemaDefinitionId;
  if (!isSame) throw new DroverError('key_reused', 'the Idempotency-Key was used with another request');
  const batch = await insertBoundBatch(parts.database, bound);
  // The batch was deleted since: the same answer again, nothing is applied again.
  if (batch === null) return toBatchDocument(bound.batch);
  return batch.status === 'queued' && batch.deletedAt === undefined ? begin(parts, batch) : batch;
}

/** The batch that a key is bound to, inserted if its sender has not done it. @returns null if it has been removed. */
export async function insertBoundBatch(database: Database, bound: KeyBinding): Promise<BatchDocument | null> {
  const stored = await readBatch(database, bound.batch._id);
  if (stored !== null) return stored;
  // A process that removes a batch notes that on its key first: a key that was read before may be outdated.
  const current = bound.inserted ? bound : await readBinding(database, bound._id);
  return current === null || current.inserted ? null : insertBatch(database, bound.batch);
}

async function begin(parts: AcceptParts, batch: BatchDocument): Promise<BatchDocument> {
  traceBatch(batch._id);
  await startOrLeave(parts, batch);
  return batch;
}

/** Starts a run that is stored as unstarted: if it cannot be started now, recovery starts it (invariant 1). */
export async function startOrLeave(
  parts: StartParts & Pick<AcceptParts, 'logger' | 'confirmations' | 'startFailed'>,
  batch: BatchDocument,
): Promise<void> {
  try {
    await startBatch(parts, batch);
    parts.confirmations.started(batch);
  } catch (error) {
    if (!hasCode(error, 'earlier_run_open')) parts.startFailed(error);
    parts.logger.warn({ batchId: batch._id, err: error }, 'the workflow could not be started; recovery will start it');
  }
}
