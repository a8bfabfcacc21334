import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

const { sweep } = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  // a sweep whose worker died is not to keep the next ones off
  heartbeatTimeout: '20s',
  retry: { maximumAttempts: 3 },
  summary: 'start, finish and remove what was left half done',
});

/** One sweep; a schedule runs it twice a minute, each worker once at its start. */
export async function sweepWorkflow(): Promise<{ started: number; finished: number; purged: number }> {
  return sweep({});
}
