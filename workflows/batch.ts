import { CancellationScope, patched, setHandler } from '@temporalio/workflow';
import type { BatchSummary } from '../domain/batch/batch.ts';
import { BatchProgress } from './batch-progress.ts';
import { EarlierBatchRun } from './earlier/batch-run.ts';
import {
  assertReadable,
  type BatchInput,
  cancelSignal,
  dependenciesAvailableSignal,
  pendingItemsQuery,
  resumeSignal,
  statusQuery,
  suspendSignal,
} from './messages.ts';
import { BatchRun } from './run-batch.ts';

/**
 * Signals after which an execution is left for a new one: a tenth of those that Temporal lets one have, after which it refuses
 * them. Usually it suggests a new one first (after 4,096 events, of which each signal is one), but both numbers are configurable.
 */
const SIGNALS_PER_EXECUTION = 1_000;

/**
 * One batch: plan it, apply its stages, wait for what its pending items miss, finish. What it does next is decided in
 * `next-step.ts`. It survives any crash; what it carries through its history is numbers and indexes (invariant 7).
 */
export async function batchWorkflow(input: BatchInput): Promise<BatchSummary> {
  assertReadable(input);
  const progress = new BatchProgress(input);
  const isEarlier = !patched('decides-by-next-step');
  receiveMessages(progress, isEarlier);
  return CancellationScope.nonCancellable(() =>
    isEarlier ? new EarlierBatchRun(input, progress.state).carryOut() : new BatchRun(input, progress).toItsEnd(),
  );
}

/** Handlers are set before the first await, so that no early message is lost. */
function receiveMessages(progress: BatchProgress, isEarlier: boolean): void {
  const { state } = progress;
  let signals = 0;
  const received = (): void => {
    signals += 1;
    if (signals === SIGNALS_PER_EXECUTION)
      state.hasManySignals = !isEarlier || patched('continues-as-new-by-its-signals');
  };
  setHandler(statusQuery, () => state.summary());
  setHandler(pendingItemsQuery, () => state.pendingItems());
  setHandler(dependenciesAvailableSignal, () => {
    state.woken = true;
    received();
  });
  setHandler(suspendSignal, (token) => {
    progress.suspend(token);
    received();
  });
  setHandler(resumeSignal, (token) => {
    progress.resume(token);
    received();
  });
  setHandler(cancelSignal, (token) => progress.cancel(token));
  // A cancellation requested in the Temporal UI is the same.
  CancellationScope.current().cancelRequested.catch(() => progress.cancel());
}
