import { createHash } from 'node:crypto';
import { DAY_MS } from '../../domain/clocks.ts';
import { WEBHOOK_DELIVERY_KEPT_DAYS } from '../../domain/limits.ts';
import type { NotedEvent, WithEvents } from '../../domain/webhooks/noted-event.ts';
import type { TEST_EVENT, WebhookEvent } from '../../domain/webhooks/webhook.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { forgetImportEvents, type ImportDocument } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { type DeliveryDocument, insertDeliveries } from '../../store/webhooks/deliveries.ts';
import { forgetBatchEvents } from '../../store/webhooks/noted-events.ts';
import { enabledWebhooks, type WebhookDocument } from '../../store/webhooks/webhooks.ts';
import { type BatchView, viewListedBatch } from '../batches/view-batch.ts';
import { type ImportView, viewListedImport } from '../imports/view-import.ts';

/** When a message is not kept any longer. */
export const deliveryExpiry = (): Date => new Date(Date.now() + WEBHOOK_DELIVERY_KEPT_DAYS * DAY_MS);

/** The id of the message of an event to a webhook: the time of the event, and a hash of both, so that it is made once, whoever makes it. */
function messageId(eventId: string, webhookId: string): string {
  const hash = createHash('sha256').update(`${eventId}/${webhookId}`).digest('hex');
  return `${eventId.slice(0, 24)}${hash.slice(0, 12)}`;
}

/** A message to a webhook, as Standard Webhooks has it. */
export function messageTo(
  webhook: Pick<WebhookDocument, '_id' | 'scope'>,
  event: { readonly id: string; readonly type: WebhookEvent | typeof TEST_EVENT; readonly at: Date },
  data: unknown,
): DeliveryDocument {
  return {
    _id: messageId(event.id, webhook._id),
    webhookId: webhook._id,
    scope: webhook.scope,
    type: event.type,
    body: JSON.stringify({ type: event.type, timestamp: event.at.toISOString(), data }),
    status: 'pending',
    attempts: 0,
    dueAt: new Date(),
    createdAt: event.at,
    expiresAt: deliveryExpiry(),
  };
}

/**
 * Makes the messages of the events that are noted on a batch, then forgets the events. Safe to repeat: a message is made once.
 * @returns the messages.
 */
export async function makeBatchMessages(database: Database, batch: BatchDocument): Promise<DeliveryDocument[]> {
  const told = await makeMessages(database, batch, async ({ status, result, at }) => {
    const { batches: _, ...ended } = result ?? {};
    // the messages of the items' errors may quote what was sent
    const then = result === undefined ? batch : { ...batch, status, result: ended, completedAt: at, errorDetails: {} };
    return withoutDetails(await viewListedBatch(database, then as BatchDocument));
  });
  await forgetBatchEvents(database, batch);
  return told;
}

function withoutDetails({ errors, ...view }: BatchView): object {
  return { ...view, ...(errors && { errors: { summary: errors.summary, message: errors.message } }) };
}

/** The same of an import. */
export async function makeImportMessages(database: Database, imported: ImportDocument): Promise<DeliveryDocument[]> {
  const told = await makeMessages(database, imported, async ({ status, result, at }): Promise<ImportView> => {
    const ended = result && { ...result, batches: result.batches ?? 0 };
    return viewListedImport(ended ? { ...imported, status, result: ended, completedAt: at } : imported);
  });
  await forgetImportEvents(database, imported);
  return told;
}

async function makeMessages(
  database: Database,
  { scope, events = [] }: WithEvents & { readonly scope: string },
  dataOf: (event: NotedEvent) => Promise<object>,
): Promise<DeliveryDocument[]> {
  const webhooks = events.length === 0 ? [] : await enabledWebhooks(database, scope);
  const messages: DeliveryDocument[] = [];
  for (const event of events) {
    const told = webhooks.filter(({ events: wanted }) => wanted.includes(event.type));
    const data = told.length === 0 ? {} : await dataOf(event);
    messages.push(...told.map((webhook) => messageTo(webhook, event, data)));
  }
  await insertDeliveries(database, messages);
  return messages;
}
