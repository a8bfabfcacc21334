import { activityInfo } from '@temporalio/activity';
import { reportWaiting } from '../services/imports/report-batch.ts';
import { announceBatch, eventToNote } from '../services/webhooks/announce.ts';
import { recordRunning } from '../store/batches/run-state.ts';
import { noteWaiting } from '../store/webhooks/noted-events.ts';
import type { RecordedState } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';

/** Stores the state of a run, for lists, for running activities, and for batches that apply a cycle together with this one. */
export async function recordState(
  context: ActivityContext,
  { batchId, run, scope, report, ...state }: RecordedState,
): Promise<void> {
  const isTold =
    state.status === 'waiting' && scope !== undefined && (await noteIfTold(context, { batchId, run, scope }));
  await record(context, { batchId, run, report, ...state });
  if (isTold) await announceBatch(context, batchId);
}

/** The event is noted before the state: an attempt that is repeated knows by the note that it has happened. */
async function noteIfTold(
  { database, subscriptions }: ActivityContext,
  { batchId, run, scope }: Required<Pick<RecordedState, 'batchId' | 'run' | 'scope'>>,
): Promise<boolean> {
  const event = await eventToNote(subscriptions, scope, 'batch.waiting', { status: 'waiting' });
  return event !== null && (await noteWaiting(database, { batchId, run }, event));
}

async function record(
  context: ActivityContext,
  {
    batchId,
    run,
    report,
    ...state
  }: Omit<RecordedState, 'scope' | 'report'> & {
    readonly report: RecordedState['report'] | undefined;
  },
): Promise<void> {
  const execution = activityInfo().workflowExecution?.runId ?? '';
  if (report === undefined) return recordRunning(context.database, { batchId, run }, state, execution);
  const { importId, number, priority: _, ...stored } = report;
  await recordRunning(context.database, { batchId, run }, state, execution, stored);
  // the report is stored first: an import that is not there to receive the signal reads it
  await reportWaiting(context, batchId, importId, { ...stored, number, isFinished: false });
}
