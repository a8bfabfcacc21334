/** What a webhook can be told of. */
export const WEBHOOK_EVENTS = [
  'batch.completed',
  'batch.waiting',
  'batch.cancelled',
  'import.completed',
  'import.cancelled',
] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** The type of a message that a caller sends itself. */
export const TEST_EVENT = 'webhook.test';

/** Times from an attempt that failed to the next one, in ms: 5 s, 1 min, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h. */
export const RETRY_DELAYS_MS: readonly number[] = [
  5_000, 60_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000,
];

/** `pending`: to be sent, for the first time or again. `failed`: given up; it can be redelivered. */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** The event of a batch or import that has ended. */
export const endEvent = (of: 'batch' | 'import', status: string): WebhookEvent =>
  status === 'cancelled' ? `${of}.cancelled` : `${of}.completed`;

/** The host of a URL, without the brackets of an address of IPv6. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1');

/** Names and addresses of this machine, as a URL has them. */
export const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
