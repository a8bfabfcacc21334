import type { components } from '@drover/client';

export type Webhook = components['schemas']['WebhookData'];
export type WebhookEvent = Webhook['events'][number];
export type Delivery = components['schemas']['DeliveryData'];
