import { type Client, ScheduleNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { RECOVERY_PRIORITY } from '../../domain/batch/fairness-key.ts';
import {
  RECOVERY_WORKFLOW_TYPE,
  type RecoveryInput,
  recoveryWorkflowId,
  SEARCH_ATTRIBUTES,
  sweepScheduleId,
} from '../../workflows/messages.ts';

/** Value of `DroverOperation` of the recovery workflow: lists of the Temporal UI can leave it out by it. */
const OPERATION = 'recovery';

/**
 * Ensures that the recovery workflow of a task queue runs: starts it if it does not run, also after it was terminated or deleted.
 * If several callers try, one starts it. It needs the same as the start of a batch, so it shows whether batches can be started.
 */
export async function ensureRecovery(client: Client, taskQueue: string): Promise<void> {
  const input: RecoveryInput = {};
  await client.workflow.start(RECOVERY_WORKFLOW_TYPE, {
    taskQueue,
    workflowId: recoveryWorkflowId(taskQueue),
    args: [input],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    priority: RECOVERY_PRIORITY,
    staticSummary: 'recovery: starts, finishes and removes what was left half done',
    staticDetails:
      'Runs as long as Drover does. What it has done is in its current details and in the results of its activities.',
    typedSearchAttributes: new TypedSearchAttributes([
      {
        key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.operation, SearchAttributeType.KEYWORD),
        value: OPERATION,
      },
    ]),
  });
}

/** Removes the schedule by which earlier versions ran recovery. Safe to repeat. @returns whether there was one. */
export async function removeSweepSchedule(client: Client, taskQueue: string): Promise<boolean> {
  try {
    await client.schedule.getHandle(sweepScheduleId(taskQueue)).delete();
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}
