import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { DroverError } from '../../domain/errors.ts';
import { MAX_WEBHOOK_EARLIER_SECRETS, MAX_WEBHOOKS_PER_TENANT, WEBHOOK_SECRET_KEPT_MS } from '../../domain/limits.ts';
import { TEST_EVENT, type WebhookEvent } from '../../domain/webhooks/webhook.ts';
import { type DeliveryDocument, findDelivery, insertDeliveries, redeliver } from '../../store/webhooks/deliveries.ts';
import {
  changeWebhook,
  countWebhooks,
  insertWebhook,
  removeWebhook,
  replaceSecrets,
  type WebhookDocument,
} from '../../store/webhooks/webhooks.ts';
import { logPostponed } from '../failures.ts';
import type { AnnounceParts } from './announce.ts';
import { deliveryExpiry, messageTo } from './make-messages.ts';
import { newSecret, type SecretBox } from './secret-box.ts';
import { SUBSCRIPTIONS_KEPT_MS } from './subscriptions.ts';
import { wakeFor, wakeWebhooks } from './wake-webhooks.ts';

interface ManageParts extends AnnounceParts {
  readonly webhookSecrets: SecretBox;
}

interface NewWebhook {
  readonly url: string;
  readonly isLoopback: boolean;
  readonly events: WebhookEvent[];
  readonly description?: string | undefined;
  readonly createdBy?: string | undefined;
}

/** Until then every process knows what was changed: from the answer on it holds. */
const untilKnown = (): Promise<void> => sleep(SUBSCRIPTIONS_KEPT_MS);

const refused = (why: string): DroverError => new DroverError('operation_not_allowed', why);
const tooMany = () => refused(`a tenant has at most ${MAX_WEBHOOKS_PER_TENANT} webhooks`);

/**
 * Creates a webhook. From its answer on, every event of the tenant is delivered to it.
 * @throws DroverError `operation_not_allowed` where the tenant has too many, or secrets cannot be encrypted.
 */
export async function createWebhook(
  { database, webhookSecrets }: ManageParts,
  scope: Scope,
  { url, isLoopback, events, description, createdBy }: NewWebhook,
): Promise<{ readonly webhook: WebhookDocument; readonly secret: string }> {
  webhookSecrets.assertReady();
  if ((await countWebhooks(database, scope)) >= MAX_WEBHOOKS_PER_TENANT) throw tooMany();
  const secret = newSecret();
  const now = new Date();
  const _id = uuidv7();
  const webhook: WebhookDocument = {
    _id,
    scope: scopeKey(scope),
    url,
    ...(isLoopback && { isLoopback }),
    events,
    ...(description !== undefined && { description }),
    secrets: [{ sealed: webhookSecrets.seal(_id, secret) }],
    ...(createdBy !== undefined && { createdBy }),
    createdAt: now,
    updatedAt: now,
  };
  await insertWebhook(database, webhook);
  // of callers that pass the check at the same moment, those beyond the limit give way
  if ((await countWebhooks(database, scope)) > MAX_WEBHOOKS_PER_TENANT) {
    await removeWebhook(database, scope, _id);
    throw tooMany();
  }
  await untilKnown();
  return { webhook, secret };
}

/** Changes a webhook; what it is told of holds from the answer on. @returns null if it does not exist (any more). */
export async function updateWebhook(
  { database }: ManageParts,
  scope: Scope,
  id: string,
  changes: Parameters<typeof changeWebhook>[3],
): Promise<WebhookDocument | null> {
  const changed = await changeWebhook(database, scope, id, changes);
  if (changed !== null) await untilKnown();
  return changed;
}

/**
 * Gives a webhook a new secret; the earlier ones sign beside it for a day.
 * @throws DroverError `operation_not_allowed` where that was done too often within a day, or by two callers at once.
 */
export async function rotateSecret(
  { database, webhookSecrets }: ManageParts,
  webhook: WebhookDocument,
): Promise<{ readonly webhook: WebhookDocument; readonly secret: string }> {
  const now = Date.now();
  const until = new Date(now + WEBHOOK_SECRET_KEPT_MS);
  const earlier = webhook.secrets
    .filter((one) => one.until === undefined || one.until.getTime() > now)
    .map((one) => ({ sealed: one.sealed, until: one.until ?? until }));
  if (earlier.length > MAX_WEBHOOK_EARLIER_SECRETS)
    throw refused(`${MAX_WEBHOOK_EARLIER_SECRETS} earlier secrets sign beside the present one already`);
  const secret = newSecret();
  const secrets = [{ sealed: webhookSecrets.seal(webhook._id, secret) }, ...earlier];
  const replaced = await replaceSecrets(database, webhook, secrets);
  if (replaced === null) throw refused('the secret was replaced by another caller at the same moment');
  return { webhook: replaced, secret };
}

/** Sends a webhook a message of its own, as it would be sent an event. @throws DroverError `operation_not_allowed` if it is disabled. */
export async function testWebhook(parts: ManageParts, webhook: WebhookDocument): Promise<DeliveryDocument> {
  assertEnabled(webhook);
  const event = { id: uuidv7(), type: TEST_EVENT, at: new Date() } as const;
  const message = messageTo(webhook, event, { webhookId: webhook._id });
  await insertDeliveries(parts.database, [message]);
  await orLater(parts, webhook, () => wakeFor(parts, [message]));
  return message;
}

/** Sends a message again, whatever became of it. @throws DroverError `operation_not_allowed` if the webhook is disabled. */
export async function redeliverMessage(
  parts: ManageParts,
  webhook: WebhookDocument,
  deliveryId: string,
): Promise<DeliveryDocument | null> {
  if ((await findDelivery(parts.database, webhook._id, deliveryId)) === null) return null;
  assertEnabled(webhook);
  const delivery = await redeliver(parts.database, webhook._id, deliveryId, deliveryExpiry());
  if (delivery !== null) await orLater(parts, webhook, () => wakeFor(parts, [delivery]));
  return delivery;
}

function assertEnabled({ disabledReason, disabledAt }: WebhookDocument): void {
  if (disabledAt !== undefined) throw refused(`the webhook is disabled: ${disabledReason}`);
}

/** Removes a webhook; its messages are given up. @returns false if it did not exist. */
export async function deleteWebhook(parts: ManageParts, webhook: WebhookDocument, scope: Scope): Promise<boolean> {
  if (!(await removeWebhook(parts.database, scope, webhook._id))) return false;
  await orLater(parts, webhook, () => wakeWebhooks(parts, [{ webhookId: webhook._id, scope: webhook.scope }]));
  return true;
}

/** The messages are stored: if Temporal is unavailable, recovery has them delivered. */
async function orLater({ logger }: ManageParts, { _id }: WebhookDocument, wake: () => Promise<void>): Promise<void> {
  try {
    await wake();
  } catch (error) {
    logPostponed(logger, error, { webhookId: _id }, 'messages to a webhook are left to recovery');
  }
}
