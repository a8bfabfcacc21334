import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

const { sweep } = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  // a pass whose worker died must not block the next ones
  heartbeatTimeout: '20s',
  retry: { maximumAttempts: 3 },
  summary: 'recover batches: start, finish, purge',
});

/**
 * One pass of recovery, as the schedule of earlier versions started it twice a minute: executions that such a version has begun end here.
 * `recoveryWorkflow` has replaced it.
 */
export async function sweepWorkflow(): Promise<{ started: number; finished: number; purged: number }> {
  return sweep({});
}
