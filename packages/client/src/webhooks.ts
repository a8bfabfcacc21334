import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { DroverError } from './errors.ts';

/** What a webhook is told, once its signature is right. */
export interface WebhookEvent {
  /** The same for every delivery of one event: what has been seen can be left out. */
  readonly id: string;
  /** Such as `batch.completed`. */
  readonly type: string;
  /** When it happened, ISO 8601. */
  readonly timestamp: string;
  /** The batch or import that it is about. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** A request as it arrives: that of `fetch`, or the headers and the unchanged body of another server. */
export type WebhookRequest =
  | Request
  | { readonly headers: Readonly<Record<string, string | string[] | undefined>>; readonly body: string };

const HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;

/**
 * Reads a delivery of a webhook (Standard Webhooks). The body has to be the text that was received: JSON that was parsed and
 * written again has another signature.
 * @param secret that of the webhook, or several while it is rotated.
 * @throws DroverError if no secret fits, the delivery is older or newer than five minutes, or is no event.
 */
export async function verifyWebhook(
  request: WebhookRequest,
  secret: string | readonly string[],
): Promise<WebhookEvent> {
  const body = request instanceof Request ? await request.text() : request.body;
  const headers = Object.fromEntries(HEADERS.map((name) => [name, headerOf(request, name)]));
  const secrets = typeof secret === 'string' ? [secret] : secret;
  let why: unknown = new Error('no secret is given');
  for (const one of secrets) {
    try {
      const event = new Webhook(one).verify(body, headers) as WebhookEvent;
      return { ...event, id: headers['webhook-id'] ?? '' };
    } catch (error) {
      if (!(error instanceof WebhookVerificationError || error instanceof SyntaxError)) throw error;
      why = error;
    }
  }
  const message = why instanceof Error ? why.message : String(why);
  throw new DroverError({ status: null, message: `the webhook is not accepted: ${message}`, cause: why });
}

function headerOf(request: WebhookRequest, name: string): string {
  if (request instanceof Request) return request.headers.get(name) ?? '';
  const [, value] =
    Object.entries(request.headers).find(([key, given]) => given !== undefined && key.toLowerCase() === name) ?? [];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}
