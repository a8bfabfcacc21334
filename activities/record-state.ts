import { activityInfo } from '@temporalio/activity';
import { reportToImport } from '../services/imports/report-batch.ts';
import { recordRunning } from '../store/batches/run-state.ts';
import type { RecordedState } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';

/** Stores the state of a run, for lists, for running activities, and for batches that apply a cycle together with this one. */
export async function recordState(
  context: ActivityContext,
  { batchId, run, report, ...state }: RecordedState,
): Promise<void> {
  const execution = activityInfo().workflowExecution?.runId ?? '';
  if (report === undefined) return recordRunning(context.database, { batchId, run }, state, execution);
  const { importId, number, priority: _, ...stored } = report;
  await recordRunning(context.database, { batchId, run }, state, execution, stored);
  // the report is stored first: an import that is not there to receive the signal reads it
  await reportToImport(context, importId, { ...stored, number, isFinished: false });
}
