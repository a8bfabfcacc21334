import { dataOf, signalOf } from '../transport/answers.ts';
import type { Http } from '../transport/http.ts';
import type {
  CallOptions,
  Delivery,
  DeliveryListOptions,
  ListOptions,
  NewWebhook,
  Webhook,
  WebhookChanges,
  WebhookWithSecret,
} from '../types.ts';
import { PagedList } from './paged-list.ts';

/** Webhooks of the tenant: addresses that are told of the end of batches and imports. `verifyWebhook` reads what they receive. Every call @throws DroverError. */
export class Webhooks {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** @returns the webhook with its secret, which is shown this once. */
  create(webhook: NewWebhook, options: CallOptions = {}): Promise<WebhookWithSecret> {
    return dataOf(this.#http.POST('/api/webhooks', { body: webhook, ...signalOf(options) }));
  }

  get(webhookId: string, options: CallOptions = {}): Promise<Webhook> {
    return dataOf(this.#http.GET('/api/webhooks/{webhookId}', pathTo(webhookId, options)));
  }

  list({ signal, ...page }: ListOptions = {}): PagedList<Webhook> {
    return new PagedList((cursor) => {
      const query = { limit: 100, ...page, ...(cursor !== undefined && { cursor }) };
      return dataOf(this.#http.GET('/api/webhooks', { params: { query }, ...(signal && { signal }) }));
    });
  }

  /** Changes what is given; `disabled: false` enables one that was disabled. */
  change(webhookId: string, changes: WebhookChanges, options: CallOptions = {}): Promise<Webhook> {
    return dataOf(this.#http.PATCH('/api/webhooks/{webhookId}', { ...pathTo(webhookId, options), body: changes }));
  }

  async delete(webhookId: string, options: CallOptions = {}): Promise<void> {
    await dataOf(this.#http.DELETE('/api/webhooks/{webhookId}', pathTo(webhookId, options)));
  }

  /** A new secret; the one before signs beside it for 24 hours. */
  rotateSecret(webhookId: string, options: CallOptions = {}): Promise<WebhookWithSecret> {
    return dataOf(this.#http.POST('/api/webhooks/{webhookId}/rotate-secret', pathTo(webhookId, options)));
  }

  /** Sends a test event. */
  async test(webhookId: string, options: CallOptions = {}): Promise<Delivery> {
    return dataOf(this.#http.POST('/api/webhooks/{webhookId}/test', pathTo(webhookId, options)));
  }

  /** What was sent, and what was answered. */
  deliveries(webhookId: string, { signal, ...filter }: DeliveryListOptions = {}): PagedList<Delivery> {
    return new PagedList((cursor) => {
      const query = { limit: 100, ...filter, ...(cursor !== undefined && { cursor }) };
      const params = { path: { webhookId }, query };
      return dataOf(this.#http.GET('/api/webhooks/{webhookId}/deliveries', { params, ...(signal && { signal }) }));
    });
  }

  /** Sends one again. */
  redeliver(webhookId: string, deliveryId: string, options: CallOptions = {}): Promise<Delivery> {
    const params = { path: { webhookId, deliveryId } };
    return dataOf(
      this.#http.POST('/api/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver', { params, ...signalOf(options) }),
    );
  }
}

const pathTo = (webhookId: string, options: CallOptions) => ({ params: { path: { webhookId } }, ...signalOf(options) });
