import type { Collection, Filter } from 'mongodb';
import { COUNT_LIMIT, type Total, totalOf } from '../../domain/batch/total.ts';
import type { DeliveryStatus, TEST_EVENT, WebhookEvent } from '../../domain/webhooks/webhook.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteEach } from '../mongodb/each-by-id.ts';
import { isDuplicateKey } from '../mongodb/errors.ts';

/** One message to one webhook. */
export interface DeliveryDocument {
  /** `webhook-id` of the message: a UUID of version 7, which follows from the event and the webhook: it is made once. */
  _id: string;
  webhookId: string;
  /** That of the webhook. */
  scope: string;
  type: WebhookEvent | typeof TEST_EVENT;
  /** The message, as it is sent and signed each time. */
  body: string;
  status: DeliveryStatus;
  /** Attempts since it was asked for, or asked for again. */
  attempts: number;
  /** When the next attempt is due; absent unless it is pending. */
  dueAt?: Date;
  lastAttemptAt?: Date;
  /** The latest answer, its body cut; or why there was none. */
  lastAnswer?: { status: number; body: string };
  lastError?: string;
  createdAt: Date;
  /** When MongoDB may remove it; recovery does it too. */
  expiresAt: Date;
}

/**
 * The collection `webhook_deliveries`.
 * @internal exported for tests, which look into the collection
 */
export const deliveriesIn = (database: Database): Collection<DeliveryDocument> =>
  database.collection('webhook_deliveries');

/** Stores messages that are to be delivered. Safe to repeat: one that exists, in whatever state, stays. */
export async function insertDeliveries(database: Database, deliveries: readonly DeliveryDocument[]): Promise<void> {
  if (deliveries.length === 0) return;
  try {
    await deliveriesIn(database).insertMany([...deliveries], { ordered: false });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

/** Messages to a webhook whose next attempt is due, the longest overdue first. */
export async function dueDeliveries(
  database: Database,
  webhookId: string,
  asOf: Date,
  limit: number,
): Promise<DeliveryDocument[]> {
  return deliveriesIn(database)
    .find({ status: 'pending', webhookId, dueAt: { $lte: asOf } })
    .sort({ dueAt: 1 })
    .limit(limit)
    .toArray();
}

/** When the next message to a webhook is due; null if none is pending. */
export async function nextDue(database: Database, webhookId: string): Promise<Date | null> {
  const [next] = await deliveriesIn(database)
    .find({ status: 'pending', webhookId }, { projection: { dueAt: 1 } })
    .sort({ dueAt: 1 })
    .limit(1)
    .toArray();
  return next?.dueAt ?? null;
}

/** A webhook, and its tenant. */
export type WebhookOfTenant = Pick<DeliveryDocument, 'webhookId' | 'scope'>;

/** The next webhook after `after`, by its id, with a message that is overdue: however many one has, the others are found. */
export async function nextOverdueWebhook(
  database: Database,
  asOf: Date,
  after: string,
): Promise<WebhookOfTenant | null> {
  const [next] = await deliveriesIn(database)
    .find(
      { status: 'pending', webhookId: { $gt: after }, dueAt: { $lte: asOf } },
      { projection: { webhookId: 1, scope: 1 } },
    )
    .sort({ webhookId: 1 })
    .limit(1)
    .toArray();
  return next ?? null;
}

/**
 * Whether somebody was told of an earlier message to a webhook that is still due: whoever sends that looks for more when it is sent. Of messages that
 * are made at the same time, the first one's maker is not told so.
 */
export async function hasEarlierDue(
  database: Database,
  { webhookId, _id }: Pick<DeliveryDocument, 'webhookId' | '_id'>,
): Promise<boolean> {
  const earlier = { status: 'pending' as const, webhookId, dueAt: { $lte: new Date() }, _id: { $lt: _id } };
  return (await deliveriesIn(database).findOne(earlier, { projection: { _id: 1 } })) !== null;
}

/** The outcome of one attempt. `dueAt`: there will be another one. */
export type Attempted = Pick<DeliveryDocument, 'status' | 'dueAt' | 'lastAnswer' | 'lastError'>;

/** Notes an attempt. An attempt that ends late, when another one has been noted, changes nothing. */
export async function recordAttempt(
  database: Database,
  { _id, attempts }: Pick<DeliveryDocument, '_id' | 'attempts'>,
  { dueAt, lastAnswer, lastError, status }: Attempted,
): Promise<void> {
  await deliveriesIn(database).updateOne(
    { _id, attempts, status: 'pending' },
    {
      $set: {
        status,
        lastAttemptAt: new Date(),
        ...(dueAt && { dueAt }),
        ...(lastAnswer && { lastAnswer }),
        ...(lastError !== undefined && { lastError }),
      },
      $inc: { attempts: 1 },
      $unset: {
        ...(dueAt === undefined && { dueAt: '' as const }),
        ...(lastAnswer === undefined && { lastAnswer: '' as const }),
        ...(lastError === undefined && { lastError: '' as const }),
      },
    },
  );
}

/** Gives up some messages to a webhook that is disabled or removed. @returns how many; the caller repeats it until there are none. */
export async function failPending(
  database: Database,
  webhookId: string,
  reason: string,
  limit: number,
): Promise<number> {
  const found = await deliveriesIn(database)
    .find({ status: 'pending', webhookId }, { projection: { _id: 1 } })
    .limit(limit)
    .toArray();
  for (const { _id } of found)
    await deliveriesIn(database).updateOne(
      { _id, status: 'pending' },
      { $set: { status: 'failed', lastError: reason }, $unset: { dueAt: '' } },
    );
  return found.length;
}

/** A message of a webhook. */
export async function findDelivery(
  database: Database,
  webhookId: string,
  id: string,
): Promise<DeliveryDocument | null> {
  return deliveriesIn(database).findOne({ _id: id, webhookId });
}

/** The message is sent again now, as if for the first time. @returns null if it does not exist (any more). */
export async function redeliver(
  database: Database,
  webhookId: string,
  id: string,
  expiresAt: Date,
): Promise<DeliveryDocument | null> {
  return deliveriesIn(database).findOneAndUpdate(
    { _id: id, webhookId },
    { $set: { status: 'pending', attempts: 0, dueAt: new Date(), expiresAt } },
    { returnDocument: 'after' },
  );
}

/** Messages of a webhook, the latest event first. */
export async function listDeliveries(
  database: Database,
  webhookId: string,
  status: DeliveryStatus | undefined,
  page: { readonly after: string | null; readonly limit: number },
): Promise<{ deliveries: DeliveryDocument[]; total: Total; next: string | null }> {
  const query: Filter<DeliveryDocument> = { webhookId, ...(status && { status }) };
  const [found, counted] = await Promise.all([
    deliveriesIn(database)
      .find({ ...query, ...(page.after !== null && { _id: { $lt: page.after } }) })
      .sort({ _id: -1 })
      .limit(page.limit + 1)
      .toArray(),
    deliveriesIn(database).countDocuments(query, { limit: COUNT_LIMIT }),
  ]);
  const deliveries = found.slice(0, page.limit);
  const next = found.length > page.limit ? (deliveries.at(-1)?._id ?? null) : null;
  return { deliveries, total: totalOf(counted), next };
}

/** Removes some messages that are kept no longer, as MongoDB does by itself. @returns how many. */
export async function removeExpiredDeliveries(database: Database, asOf: Date, limit: number): Promise<number> {
  const found = await deliveriesIn(database)
    .find({ expiresAt: { $lte: asOf } }, { projection: { _id: 1 } })
    .limit(limit)
    .toArray();
  return deleteEach(
    deliveriesIn(database),
    found.map(({ _id }) => _id),
    { expiresAt: { $lte: asOf } },
  );
}
