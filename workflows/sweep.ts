import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

const { sweep } = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  // a pass whose worker died is not to keep the next ones off
  heartbeatTimeout: '20s',
  retry: { maximumAttempts: 3 },
  summary: 'recover batches: start, finish, purge',
});

/**
 * One pass of recovery, as the schedule of earlier versions started it twice a minute: what such a version has begun ends here.
 * `recoveryWorkflow` has taken its place.
 */
export async function sweepWorkflow(): Promise<{ started: number; finished: number; purged: number }> {
  return sweep({});
}
