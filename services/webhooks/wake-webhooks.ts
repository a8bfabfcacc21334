import type { Client } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../../domain/batch/search-attributes.ts';
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
  webhookIds: Iterable<string>,
): Promise<void> {
  for (const webhookId of webhookIds) {
    const input: WebhookInput = { webhookId };
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
