import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';

/**
 * Shows Temporal that an activity which may take long goes on: to be called after each step. One that stands still is given up
 * after its heartbeat timeout, like one whose worker died. Inside a workflow task nobody listens.
 * @throws CancelledFailure where the attempt was given up, or its worker stops: a later attempt does the work by then.
 */
export function showProgress(): void {
  cancellationSignal().throwIfAborted();
  if (!activityInfo().isLocal) heartbeat();
}
