import { activityInfo } from '@temporalio/activity';
import type { RunningStatus } from '../domain/batch.ts';
import { recordRunning } from '../store/batches.ts';
import type { Dependencies } from './dependencies.ts';

export interface RecordedState {
  readonly batchId: string;
  readonly run: number;
  readonly status: RunningStatus;
  readonly suspended: boolean;
}

/** Stores how far a run is, for lists and for batches that want to carry out a cycle with this one. */
export async function recordState(
  { database }: Dependencies,
  { status, suspended, ...batch }: RecordedState,
): Promise<void> {
  const execution = activityInfo().workflowExecution?.runId ?? '';
  await recordRunning(database, batch, { status, suspended }, execution);
}
