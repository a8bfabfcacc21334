import { activityInfo, heartbeat } from '@temporalio/activity';

/**
 * Shows Temporal that an activity which may take long goes on: to be called after each step. One that stands still is given up
 * after its heartbeat timeout, like one whose worker died. Inside a workflow task nobody listens.
 */
export function showProgress(): void {
  if (!activityInfo().isLocal) heartbeat();
}
