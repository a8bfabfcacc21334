import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';

/**
 * Reports to Temporal that an activity which may take long makes progress: to be called after each step. An activity without progress is timed out
 * after its heartbeat timeout, like one whose worker died. Inside a workflow task the call has no effect.
 * @throws CancelledFailure if the attempt was timed out, or its worker stops: then a later attempt does the work.
 */
export function showProgress(): void {
  cancellationSignal().throwIfAborted();
  if (!activityInfo().isLocal) heartbeat();
}
