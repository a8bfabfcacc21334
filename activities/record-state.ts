import { activityInfo } from '@temporalio/activity';
import { type RunningState, recordRunning } from '../store/batches.ts';
import type { Dependencies } from './dependencies.ts';

export interface RecordedState extends RunningState {
  readonly batchId: string;
  readonly run: number;
}

/** Stores how far a run is, for lists, for activities at work, and for batches that want to carry out a cycle with this one. */
export async function recordState(
  { database }: Dependencies,
  { batchId, run, ...state }: RecordedState,
): Promise<void> {
  const execution = activityInfo().workflowExecution?.runId ?? '';
  await recordRunning(database, { batchId, run }, state, execution);
}
