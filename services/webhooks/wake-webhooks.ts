import type { Client } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../../domain/batch/search-attributes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { type DeliveryDocument, hasEarlierDue, type WebhookOfTenant } from '../../store/webhooks/deliveries.ts';
import {
  deliveriesDueSignal,
  WEBHOOK_WORKFLOW_TYPE,
  type WebhookInput,
  webhookWorkflowId,
} from '../../workflows/webhooks/messages.ts';
import { isSignalLimit } from '../batches/signal-limit.ts';
import { keyword } from '../batches/start-batch.ts';

/**
 * Has the messages of these webhooks delivered: starts the workflow of each, or tells it that there are more. The messages are stored before, and a workflow ends only when it
 * has found none that is pending; so a webhook without messages costs nothing.
 * @throws errors of Temporal: recovery finds messages that are overdue.
 */
export async function wakeWebhooks(
  { client, taskQueue }: { readonly client: Client; readonly taskQueue: string },
  webhooks: Iterable<WebhookOfTenant>,
): Promise<void> {
  for (const { webhookId, scope } of webhooks) {
    const input: WebhookInput = { webhookId, scope };
    try {
      await client.workflow.signalWithStart(WEBHOOK_WORKFLOW_TYPE, {
        taskQueue,
        workflowId: webhookWorkflowId(webhookId),
        args: [input],
        signal: deliveriesDueSignal,
        signalArgs: [],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        staticSummary: 'deliveries to a webhook',
        typedSearchAttributes: new TypedSearchAttributes([
          { key: keyword(SEARCH_ATTRIBUTES.operation), value: 'webhook' },
        ]),
      });
    } catch (error) {
      // it has enough signals: it continues as new soon, and looks
      if (!isSignalLimit(error)) throw error;
    }
  }
}

/** The same for messages that were just made: a webhook is not told of each while it has others to deliver. */
export async function wakeFor(
  parts: { readonly client: Client; readonly taskQueue: string; readonly database: Database },
  messages: readonly DeliveryDocument[],
): Promise<void> {
  for (const message of messages)
    if (!(await hasEarlierDue(parts.database, message))) await wakeWebhooks(parts, [message]);
}
