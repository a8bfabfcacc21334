import { z } from '@hono/zod-openapi';
import { MAX_WEBHOOK_ANSWER_KEPT_BYTES, MAX_WEBHOOK_DESCRIPTION, MAX_WEBHOOK_URL } from '../../../domain/limits.ts';
import { DELIVERY_STATUSES, TEST_EVENT, WEBHOOK_EVENTS } from '../../../domain/webhooks/webhook.ts';
import type { DeliveryDocument } from '../../../store/webhooks/deliveries.ts';
import type { WebhookDocument } from '../../../store/webhooks/webhooks.ts';
import { enveloped, pageOf } from '../../http/define-route.ts';

/** Shapes of requests and answers about webhooks (docs/webhooks.md). */
const url = z.string({ error: 'must be a URL' }).openapi({ maxLength: MAX_WEBHOOK_URL, format: 'uri' });
const EVENTS_FAULT = `must be an array of one or more of ${WEBHOOK_EVENTS.join(', ')}, each once`;
const events = z
  .array(z.enum(WEBHOOK_EVENTS, { error: EVENTS_FAULT }), { error: EVENTS_FAULT })
  .min(1, EVENTS_FAULT)
  .refine((given) => new Set(given).size === given.length, EVENTS_FAULT)
  .openapi({ uniqueItems: true });
const DESCRIPTION_FAULT = `must be a text of at most ${MAX_WEBHOOK_DESCRIPTION} characters`;
const description = z
  .string({ error: DESCRIPTION_FAULT })
  .refine((text) => [...text].length <= MAX_WEBHOOK_DESCRIPTION, DESCRIPTION_FAULT);

const AN_OBJECT = { error: 'must be an object with "url" and "events"' };
export const newWebhookBody = z
  .strictObject({ url, events, description: description.optional() }, AN_OBJECT)
  .openapi('NewWebhook');
export const changedWebhookBody = z
  .strictObject(
    {
      url: url.optional(),
      events: events.optional(),
      description: description.optional(),
      disabled: z.boolean({ error: 'must be true or false' }).optional(),
    },
    { error: 'must be an object' },
  )
  .refine((body) => Object.keys(body).length > 0, 'must have at least one of url, events, description, disabled')
  .openapi('WebhookChanges', { minProperties: 1 });

const fields = {
  webhookId: z.string(),
  url: z.string(),
  events: z.array(z.enum(WEBHOOK_EVENTS)),
  description: z.string().optional(),
  status: z.enum(['enabled', 'disabled']),
  disabledReason: z.string().optional(),
  previousSecretsUntil: z.iso
    .datetime()
    .optional()
    .openapi({ description: 'Secrets that were replaced sign beside the present one until then' }),
  createdBy: z.string().optional(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
};
const WebhookData = z.object(fields).openapi('WebhookData');
const secret = z.string().openapi({ description: 'Shown here alone: `whsec_` and 32 bytes in base64' });
export const Webhook = enveloped(WebhookData).openapi('Webhook');
export const WebhookWithSecret = enveloped(z.object({ ...fields, secret })).openapi('WebhookWithSecret');
export const WebhookList = pageOf(WebhookData).openapi('WebhookList');

const DeliveryData = z
  .object({
    deliveryId: z.string().openapi({ description: '`webhook-id` of the message' }),
    webhookId: z.string(),
    type: z.enum([...WEBHOOK_EVENTS, TEST_EVENT]),
    status: z.enum(DELIVERY_STATUSES),
    attempts: z.number().int().min(0),
    createdAt: z.iso.datetime(),
    lastAttemptAt: z.iso.datetime().optional(),
    nextAttemptAt: z.iso.datetime().optional(),
    lastAnswer: z
      .object({ status: z.number().int(), body: z.string() })
      .optional()
      .openapi({ description: `The body is cut to ${MAX_WEBHOOK_ANSWER_KEPT_BYTES} bytes` }),
    lastError: z.string().optional().openapi({ description: 'Why there was no answer, or no attempt' }),
  })
  .openapi('DeliveryData');
export const Delivery = enveloped(DeliveryData).openapi('Delivery');
export const DeliveryList = pageOf(DeliveryData).openapi('DeliveryList');

export function toWebhookView(webhook: WebhookDocument) {
  const earlier = webhook.secrets.flatMap(({ until }) => until ?? []).filter((until) => until > new Date());
  const last = earlier.toSorted((a, b) => b.getTime() - a.getTime())[0];
  return {
    webhookId: webhook._id,
    url: webhook.url,
    events: webhook.events,
    ...(webhook.description !== undefined && { description: webhook.description }),
    status: webhook.disabledAt === undefined ? ('enabled' as const) : ('disabled' as const),
    ...(webhook.disabledReason !== undefined && { disabledReason: webhook.disabledReason }),
    ...(last && { previousSecretsUntil: last.toISOString() }),
    ...(webhook.createdBy !== undefined && { createdBy: webhook.createdBy }),
    createdAt: webhook.createdAt.toISOString(),
    updatedAt: webhook.updatedAt.toISOString(),
  };
}

export const toDeliveryView = (delivery: DeliveryDocument) => ({
  deliveryId: delivery._id,
  webhookId: delivery.webhookId,
  type: delivery.type,
  status: delivery.status,
  attempts: delivery.attempts,
  createdAt: delivery.createdAt.toISOString(),
  ...(delivery.lastAttemptAt && { lastAttemptAt: delivery.lastAttemptAt.toISOString() }),
  ...(delivery.dueAt && { nextAttemptAt: delivery.dueAt.toISOString() }),
  ...(delivery.lastAnswer && { lastAnswer: delivery.lastAnswer }),
  ...(delivery.lastError !== undefined && { lastError: delivery.lastError }),
});
