import { activityInfo } from '@temporalio/activity';
import { recordRunning } from '../store/batches/run-state.ts';
import type { RecordedState } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';

/** Stores the state of a run, for lists, for running activities, and for batches that apply a cycle together with this one. */
export async function recordState(
  { database }: ActivityContext,
  { batchId, run, ...state }: RecordedState,
): Promise<void> {
  const execution = activityInfo().workflowExecution?.runId ?? '';
  await recordRunning(database, { batchId, run }, state, execution);
}
