import { continueAsNew, proxyActivities, setCurrentDetails, sleep, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../../activities/index.ts';
import type { BulkInput, BulkProgress } from './messages.ts';

/**
 * One bulk operation: selects the batches that fit its filter, then does the same with each. What is selected, and how far it is, is stored: each activity goes on where the one before
 * stopped, and the workflow can be lost at any moment.
 */
export async function bulkWorkflow(input: BulkInput): Promise<BulkProgress> {
  const { runBulkOperation } = proxyActivities<Activities>({
    startToCloseTimeout: '15m',
    heartbeatTimeout: input.activityTimeoutSeconds * 1000,
    retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' },
    summary: `${input.verb} many batches`,
  });
  for (;;) {
    const progress = await runBulkOperation({ bulkId: input.bulkId });
    const { matched, done, skipped, failed } = progress;
    const notDone = Object.entries(failed).map(([code, count]) => `, ${count} ${code}`);
    setCurrentDetails(`**${input.verb}** of ${matched} batches: ${done} done, ${skipped} skipped${notDone.join('')}`);
    if (progress.isOver) return progress;
    if (progress.waitMs !== undefined) await sleep(progress.waitMs, { summary: 'waiting for the end of an undo' });
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof bulkWorkflow>(input);
  }
}
