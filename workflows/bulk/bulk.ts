import { continueAsNew, proxyActivities, setCurrentDetails, sleep, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../../activities/index.ts';
import type { BulkInput, BulkProgress } from './messages.ts';

/**
 * One bulk operation: selects the batches that fit its filter, then does the same with each. What is selected, and how far it is, is stored: each activity goes on where the one before
 * stopped, and the workflow can be lost at any moment.
 */
export async function bulkWorkflow(input: BulkInput): Promise<BulkProgress> {
  const { runBulkOperation } = activitiesOf(input, `${input.verb} many batches`);
  for (;;) {
    const progress = await runBulkOperation({ bulkId: input.bulkId });
    const { matched, done, skipped, failed } = progress;
    const notDone = Object.entries(failed).map(([code, count]) => `, ${count} ${code}`);
    setCurrentDetails(`**${input.verb}** of ${matched} batches: ${done} done, ${skipped} skipped${notDone.join('')}`);
    if (progress.isOver) return progress;
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof bulkWorkflow>(input);
  }
}

/** The undo of an import: its batches are undone one after the other. It waits by timers for their ends, and for all else goes by what is stored, too. */
export async function importUndoWorkflow(input: BulkInput): Promise<BulkProgress> {
  const { undoImport } = activitiesOf(input, 'undo the batches of an import');
  for (;;) {
    const progress = await undoImport({ bulkId: input.bulkId });
    const { matched, done, skipped } = progress;
    setCurrentDetails(`**undo** of an import: ${done} of ${matched} batches undone, ${skipped} skipped`);
    if (progress.isOver) return progress;
    if (progress.waitMs !== undefined) await sleep(progress.waitMs, { summary: 'waiting for the end of an undo' });
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof importUndoWorkflow>(input);
  }
}

const activitiesOf = ({ activityTimeoutSeconds }: BulkInput, summary: string) =>
  proxyActivities<Activities>({
    startToCloseTimeout: '15m',
    heartbeatTimeout: activityTimeoutSeconds * 1000,
    retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' },
    summary,
  });
