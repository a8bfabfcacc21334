import { activityInfo } from '@temporalio/activity';
import { recordRunning } from '../store/batches/run-state.ts';
import type { RecordedState } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';

/** Stores how far a run is, for lists, for activities at work, and for batches that want to apply a cycle with this one. */
export async function recordState(
  { database }: ActivityContext,
  { batchId, run, ...state }: RecordedState,
): Promise<void> {
  const execution = activityInfo().workflowExecution?.runId ?? '';
  await recordRunning(database, { batchId, run }, state, execution);
}
