import { defineSignal } from '@temporalio/workflow';

/** The contract of a webhook's workflow: its id, its signal and their types. It runs while messages to the webhook are to be delivered. */

/** Workflow type of every webhook. */
export const WEBHOOK_WORKFLOW_TYPE = 'webhookWorkflow';

/** Workflow id of a webhook. */
export const webhookWorkflowId = (webhookId: string): string => `webhook-${webhookId}`;

/** Task queue of deliveries: they wait for receivers, which are to hold up no other activity. */
export const webhookTaskQueue = (taskQueue: string): string => `${taskQueue}-webhooks`;

/** There are messages to deliver: a hint. */
export const deliveriesDueSignal = defineSignal('deliveriesDue');

export interface WebhookInput {
  readonly webhookId: string;
  /** Its tenant: `platform/tenant`, escaped. */
  readonly scope: string;
}

/** What is left once all messages that were due are sent. */
export interface Delivered {
  /** When the next message is due, in ms since 1970; null: none is pending. */
  readonly nextDueAt: number | null;
}
