import { setTimeout as sleep } from 'node:timers/promises';
import { type CreateIndexesOptions, type IndexDirection, MongoServerError } from 'mongodb';
import type { Logger } from 'pino';
import type { Database } from './database.ts';

/**
 * Collections that are queried by more than `_id`.
 * @internal exported for tests, which go through the collections
 */
export type IndexedCollection =
  | 'batches'
  | 'bulk_operations'
  | 'before_images'
  | 'commits'
  | 'idempotency_keys'
  | 'imports'
  | 'intents'
  | 'item_pages'
  | 'pending_items'
  | 'resources'
  | 'schema_definitions'
  | 'waits'
  | 'webhook_deliveries'
  | 'webhooks';

/** An index that a real MongoDB needs. Its name never changes: an index of another shape gets another name. */
export interface IndexDeclaration {
  readonly collection: IndexedCollection;
  readonly name: string;
  readonly key: Readonly<Record<string, IndexDirection>>;
  readonly options?: Pick<CreateIndexesOptions, 'sparse' | 'partialFilterExpression' | 'expireAfterSeconds'>;
}

const index = (
  collection: IndexedCollection,
  name: string,
  key: IndexDeclaration['key'],
  options?: IndexDeclaration['options'],
): IndexDeclaration => ({ collection, name, key, ...(options && { options }) });

/** Every index beside `_id`; `test/store/mongodb/queries.test.ts` checks which queries each of them serves. */
export const INDEXES: readonly IndexDeclaration[] = [
  index('resources', 'referrers', { references: 1, _id: 1 }),
  index('resources', 'bySchema', { schemaDefinitionId: 1, scope: 1, externalId: 1 }),
  // resources that are being written or deleted right now: few, however many are stored
  index('resources', 'uncommitted', { hidden: 1 }, { sparse: true }),
  index('resources', 'marked', { 'leaving.group': 1 }, { sparse: true }),
  index('intents', 'byTarget', { targets: 1 }),
  index('intents', 'bySchema', { schemaDefinitionIds: 1 }),
  index('commits', 'byTime', { at: 1 }),
  index('waits', 'byKey', { key: 1 }),
  index('waits', 'byBatch', { batchId: 1 }),
  index('pending_items', 'byKey', { key: 1 }),
  // items that are being applied together right now: few, however many wait
  index('pending_items', 'claimed', { claim: 1 }, { sparse: true }),
  // an entry for each item, while its batch is kept
  index('item_pages', 'byItem', { keys: 1, _id: -1 }, { partialFilterExpression: { keys: { $exists: true } } }),
  index('batches', 'byTenantAndTime', { scope: 1, _id: -1 }),
  index('batches', 'byTenantAndSchema', { scope: 1, schemaDefinitionId: 1, _id: -1 }),
  index('batches', 'byTenantAndStatus', { scope: 1, status: 1, _id: -1 }),
  index('batches', 'byTenantAndOperation', { scope: 1, operation: 1, _id: -1 }),
  index(
    'batches',
    'byTenantAndLabel',
    { scope: 1, label: 1, _id: -1 },
    { partialFilterExpression: { label: { $exists: true } } },
  ),
  index(
    'batches',
    'byTenantAndSender',
    { scope: 1, createdBy: 1, _id: -1 },
    { partialFilterExpression: { createdBy: { $exists: true } } },
  ),
  index(
    'batches',
    'byTenantAndImport',
    { scope: 1, importId: 1, _id: -1 },
    { partialFilterExpression: { importId: { $exists: true } } },
  ),
  index(
    'batches',
    'terminationsByEnd',
    { scope: 1, completedAt: 1, _id: 1 },
    { partialFilterExpression: { operation: 'terminate' } },
  ),
  index(
    'batches',
    'byTenantAndEnd',
    { scope: 1, completedAt: -1 },
    { partialFilterExpression: { completedAt: { $exists: true } } },
  ),
  index('batches', 'byStatusAndTime', { status: 1, createdAt: 1 }),
  index('batches', 'byStatus', { status: 1, _id: 1 }),
  index('batches', 'unstarted', { unstarted: 1, startDue: 1 }, { sparse: true }),
  index('batches', 'undelivered', { 'asked.told': 1, _id: 1 }, { partialFilterExpression: { 'asked.told': false } }),
  // one that is marked as deleted leaves its place: each pass finds only what it has to mark
  index('batches', 'byRetention', { 'options.retentionDays': 1, importId: 1, deletedAt: 1, completedAt: 1 }),
  index('batches', 'toPurge', { deletedAt: 1, _id: 1 }, { partialFilterExpression: { deletedAt: { $exists: true } } }),
  index('batches', 'byImport', { importId: 1, importNumber: 1 }, { sparse: true }),
  index('batches', 'withEvents', { hasEvents: 1, eventsDue: 1 }, { sparse: true }),
  index('imports', 'withEvents', { hasEvents: 1, eventsDue: 1 }, { sparse: true }),
  index('bulk_operations', 'unstarted', { unstarted: 1, startDue: 1 }, { sparse: true }),
  index('bulk_operations', 'byStatus', { status: 1, _id: 1 }),
  index('bulk_operations', 'byCompletion', { completedAt: 1 }),
  index('bulk_operations', 'byTenant', { scope: 1, _id: -1 }),
  index('bulk_operations', 'byTenantAndStatus', { scope: 1, status: 1 }),
  index('webhooks', 'byTenant', { scope: 1, _id: -1 }),
  index('webhook_deliveries', 'byWebhook', { webhookId: 1, _id: -1 }),
  index(
    'webhook_deliveries',
    'pending',
    { status: 1, webhookId: 1, dueAt: 1 },
    { partialFilterExpression: { status: 'pending' } },
  ),
  index('webhook_deliveries', 'expiry', { expiresAt: 1 }, { expireAfterSeconds: 0 }),
  index('batches', 'undoUnaccepted', { undoUnaccepted: 1, _id: 1 }, { sparse: true }),
  index('before_images', 'ofDeletes', { batchId: 1, deleted: 1, index: -1, _id: 1 }),
  // states that are being deleted right now: few, however many are kept
  index('before_images', 'byGroup', { groups: 1 }, { sparse: true }),
  index('imports', 'byTenantAndTime', { scope: 1, _id: -1 }),
  index('imports', 'byStatus', { status: 1, _id: 1 }),
  index('imports', 'unstarted', { unstarted: 1, startDue: 1 }, { sparse: true }),
  index('imports', 'undelivered', { 'asked.told': 1 }, { partialFilterExpression: { 'asked.told': false } }),
  index('imports', 'unsealed', { sealDue: 1 }, { sparse: true }),
  // as that of batches
  index('imports', 'byRetention', { 'options.retentionDays': 1, deletedAt: 1, completedAt: 1 }),
  index('imports', 'toPurge', { deletedAt: 1, _id: 1 }, { partialFilterExpression: { deletedAt: { $exists: true } } }),
  index('imports', 'byNextBatch', { 'next.batchId': 1 }, { sparse: true }),
  index('idempotency_keys', 'byBatch', { 'batch._id': 1 }),
  index('idempotency_keys', 'byTime', { boundAt: 1 }),
  index('idempotency_keys', 'expiry', { expiresAt: 1 }, { expireAfterSeconds: 0 }),
  index('idempotency_keys', 'uninserted', { inserted: 1, boundAt: 1 }),
  index('schema_definitions', 'byPlatformAndTime', { platform: 1, active: 1, _id: -1 }),
  index('schema_definitions', 'byReference', { platform: 1, active: 1, referenceNames: 1 }),
  index('schema_definitions', 'unannounced', { announced: 1, active: 1, createdAt: 1 }),
  index('schema_definitions', 'unsettled', { referencesUnsettled: 1 }, { sparse: true }),
];

/** Time after which creating the failed indexes is retried, in ms: doubled each time, up to the longest. */
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 300_000;

/** An index of this key or this name exists with other options or another key. */
const CONFLICTS: ReadonlySet<unknown> = new Set([85, 86]);

/**
 * Creates the indexes in the background and retries failures until all exist or `stopped`. Nothing waits for it: without
 * an index queries are slow but right, and building one on a huge collection takes longer than a process should need to
 * start. A build continues in the server when the command that began it times out; the next attempt finds or joins it.
 */
export async function createIndexesAtLast(
  database: Database,
  logger: Logger,
  stopped: AbortSignal,
  firstRetryMs = FIRST_RETRY_MS,
): Promise<void> {
  let missing = INDEXES;
  for (let retryMs = firstRetryMs; ; retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS)) {
    missing = await createIndexes(database, missing, logger, stopped);
    if (missing.length === 0 || stopped.aborted) return;
    await sleep(retryMs, undefined, { signal: stopped, ref: false }).catch(() => undefined);
    if (stopped.aborted) return;
  }
}

/** Creates indexes one after another: a server uses all its resources for each. @returns those to be retried. */
export async function createIndexes(
  database: Database,
  indexes: readonly IndexDeclaration[],
  logger: Logger,
  stopped?: AbortSignal,
): Promise<IndexDeclaration[]> {
  const missing: IndexDeclaration[] = [];
  for (const declared of indexes) {
    if (stopped?.aborted) return [];
    try {
      await createOne(database, declared);
    } catch (error) {
      if (stopped?.aborted) return [];
      if (isConflict(declared, error, logger)) continue;
      logger.warn({ err: error, index: declared.name, collection: declared.collection }, 'an index is not there yet');
      missing.push(declared);
    }
  }
  return missing;
}

/**
 * Whether a conflicting index prevents it, so that no retry helps. One with the same key is accepted, whatever its name; any other has to be dropped by the
 * operator, to whom it may belong.
 */
function isConflict(declared: IndexDeclaration, error: unknown, logger: Logger): boolean {
  if (!(error instanceof MongoServerError) || !CONFLICTS.has(error.code)) return false;
  const about = { index: declared.name, collection: declared.collection };
  if (error.code === 85 && /different name/i.test(error.message)) {
    logger.info(about, 'an index of the same key exists under another name and serves');
  } else {
    logger.error(
      { ...about, key: declared.key, err: { message: error.message } },
      'another index has this name or key: queries may be slow until it is dropped and a worker is restarted',
    );
  }
  return true;
}

async function createOne(database: Database, { collection, name, key, options }: IndexDeclaration): Promise<void> {
  await database.collection(collection).createIndex({ ...key }, { name, ...options });
}
