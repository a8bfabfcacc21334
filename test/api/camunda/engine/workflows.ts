import {
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setHandler,
  sleep,
} from '@temporalio/workflow';

/** Process instances of the tests of the Camunda façade: a workflow type for each way to react to a deletion. */

/** Sleeps until it is ended. */
export async function sleeper(): Promise<void> {
  await sleep('1 day');
}

/** The type that has this name in the recorded engine. */
export async function simple(): Promise<void> {
  await sleep('1 day');
}

/** Has another type, so that a query can distinguish them. */
export async function other(): Promise<void> {
  await sleep('1 day');
}

/** Waits for its child. */
export async function parent(child: string, policy: 'ABANDON' | 'TERMINATE' = 'TERMINATE', depth = 1): Promise<void> {
  const options = { parentClosePolicy: ParentClosePolicy[policy] };
  if (depth > 1)
    await executeChild(parent, { ...options, workflowId: `${child}-${depth}`, args: [child, policy, depth - 1] });
  else await executeChild(sleeper, { ...options, workflowId: child });
}

/** Receives the cancellation request, and continues. */
export async function stubborn(): Promise<void> {
  await CancellationScope.nonCancellable(() => sleep('1 day'));
}

/** Cleans up for a while, then ends as cancelled or completes. */
export async function tidy(end: 'cancelled' | 'completed', cleanUpMs: number): Promise<string> {
  try {
    await sleep('1 day');
    return 'slept';
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(() => sleep(cleanUpMs, { summary: 'clean up' }));
    if (end === 'cancelled') throw error;
    return 'cleaned up';
  }
}

/** Ends by itself: it completes or fails. */
export async function brief(end: 'completed' | 'failed'): Promise<void> {
  await condition(() => true);
  if (end === 'failed') throw ApplicationFailure.nonRetryable('on purpose');
}

/** Continues as new when it receives a signal. */
export async function restless(): Promise<void> {
  let isContinued = false;
  setHandler(defineSignal('goOnSignal'), () => {
    isContinued = true;
  });
  await condition(() => isContinued);
  await continueAsNew<typeof restless>();
}
