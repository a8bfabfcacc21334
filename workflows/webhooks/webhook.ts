import { condition, continueAsNew, proxyActivities, setHandler, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../../activities/index.ts';
import { fairness } from '../../domain/batch/fairness-key.ts';
import { deliveriesDueSignal, type WebhookInput, webhookTaskQueue } from './messages.ts';

/** Signals after which an execution continues as new: a tenth of the number after which Temporal refuses signals. */
const SIGNALS_PER_EXECUTION = 1_000;

/**
 * Delivers the messages of one webhook until none is pending. What is due, and when it is due again, is stored with the messages: the workflow only looks at the clock, so it can
 * be lost at any moment. One webhook has one workflow, and one activity at a time: a receiver that is slow holds up no other.
 */
export async function webhookWorkflow(input: WebhookInput): Promise<void> {
  let signals = 0;
  let isTold = false;
  setHandler(deliveriesDueSignal, () => {
    signals += 1;
    isTold = true;
  });
  const { deliverMessages } = proxyActivities<Activities>({
    taskQueue: webhookTaskQueue(workflowInfo().taskQueue),
    startToCloseTimeout: '5m',
    heartbeatTimeout: '10s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
    priority: fairness({ scope: input.scope, total: 0 }),
    summary: 'deliver the messages that are due',
  });
  for (;;) {
    isTold = false;
    const { nextDueAt } = await deliverMessages(input);
    if (!isTold) {
      if (nextDueAt === null) return;
      const waitMs = nextDueAt - Date.now();
      if (waitMs > 0) await condition(() => isTold, waitMs, { summary: 'until the next message is due' });
    }
    // however busy its tenant is: an execution begins by looking at what is due
    if (workflowInfo().continueAsNewSuggested || signals >= SIGNALS_PER_EXECUTION)
      await continueAsNew<typeof webhookWorkflow>(input);
  }
}
