import type { LookupFunction } from 'node:net';
import type { Logger } from 'pino';
import { Webhook } from 'standardwebhooks';
import type { Database } from '../../store/mongodb/database.ts';
import { type Attempted, type DeliveryDocument, recordAttempt } from '../../store/webhooks/deliveries.ts';
import { disableWebhook, type WebhookDocument } from '../../store/webhooks/webhooks.ts';
import type { Reach } from './addresses.ts';
import type { SecretBox } from './secret-box.ts';
import { type Answer, send } from './send.ts';

export interface DeliverParts {
  readonly secrets: SecretBox;
  /** `WEBHOOK_ALLOW_PRIVATE`. */
  readonly allowPrivate: boolean;
  /** Times from an attempt that failed to the next, in ms: `RETRY_DELAYS_MS`, unless a test has no time for them. */
  readonly retryDelaysMs: readonly number[];
  /** Resolves names: that of the system, unless a test has another. */
  readonly lookup?: LookupFunction;
}

/** HTTP status by which a receiver says that it wants to be told nothing any more. */
const GONE = 410;

/**
 * One attempt to deliver a message: it is signed with every secret that is valid now, sent, and its outcome noted. A message may be sent twice, if the process dies before
 * the note: its `webhook-id` is the same.
 */
export async function deliverMessage(
  {
    database,
    logger,
    webhooks,
  }: { readonly database: Database; readonly logger: Logger; readonly webhooks: DeliverParts },
  webhook: WebhookDocument,
  delivery: DeliveryDocument,
): Promise<void> {
  const { allowPrivate, lookup } = webhooks;
  const reach: Reach = allowPrivate ? 'any' : webhook.isLoopback ? 'loopback' : 'public';
  const headers = signedHeaders(webhooks.secrets, webhook, delivery, logger);
  const answer: Answer =
    headers === null
      ? { error: 'the secret of the webhook cannot be decrypted; the worker log has the reason' }
      : await send({ url: webhook.url, headers, body: delivery.body, reach }, lookup);
  await recordAttempt(database, delivery, outcomeOf(answer, delivery, webhooks.retryDelaysMs));
  if (answer.status === GONE) await disableWebhook(database, webhook, 'its receiver has answered 410');
}

/** Null if the secrets cannot be read: another worker may have the key. */
function signedHeaders(
  secrets: SecretBox,
  webhook: WebhookDocument,
  { _id, body }: DeliveryDocument,
  logger: Logger,
): Record<string, string> | null {
  const now = new Date();
  const valid = webhook.secrets.filter(({ until }) => until === undefined || until > now);
  try {
    const signatures = valid.map(({ sealed }) => new Webhook(secrets.open(webhook._id, sealed)).sign(_id, now, body));
    return {
      'content-type': 'application/json',
      'user-agent': 'Drover',
      'webhook-id': _id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': signatures.join(' '),
    };
  } catch (error) {
    logger.error({ webhookId: webhook._id, err: error }, 'the secret of a webhook cannot be decrypted');
    return null;
  }
}

function outcomeOf(answer: Answer, { attempts }: DeliveryDocument, retryDelaysMs: readonly number[]): Attempted {
  const { status, body, error } = answer;
  const last = error === undefined ? { lastAnswer: { status, body } } : { lastError: error };
  if (status !== undefined && status >= 200 && status < 300) return { status: 'delivered', ...last };
  const waitMs = status === GONE ? undefined : retryDelaysMs[attempts];
  return waitMs === undefined
    ? { status: 'failed', ...last }
    : { status: 'pending', dueAt: new Date(Date.now() + waitMs), ...last };
}
