import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

const { sweep } = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  heartbeatTimeout: '1m',
  retry: { maximumAttempts: 3 },
  summary: 'start, finish and remove what was left half done',
});

/** One sweep; a schedule runs it every minute, each worker once at its start. */
export async function sweepWorkflow(): Promise<{ started: number; finished: number; purged: number }> {
  return sweep({});
}
