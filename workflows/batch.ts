import { CancellationScope, patched, setHandler } from '@temporalio/workflow';
import type { BatchSummary } from '../domain/batch/batch.ts';
import { BatchProgress } from './batch-progress.ts';
import { EarlierBatchRun } from './earlier/batch-run.ts';
import { checkRoundSignal, importEndedSignal } from './imports/messages.ts';
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
 * Signals after which an execution continues as new: a tenth of the number after which Temporal refuses signals. Temporal usually
 * suggests a new execution first (after 4,096 events, of which each signal is one), but both numbers are configurable.
 */
const SIGNALS_PER_EXECUTION = 1_000;

/**
 * One batch: plan it, apply its stages, wait for the missing references of its pending items, finish. `next-step.ts` decides what it does
 * next. It survives any crash; its history holds numbers and indexes only (invariant 7).
 */
export async function batchWorkflow(input: BatchInput): Promise<BatchSummary> {
  assertReadable(input);
  const progress = new BatchProgress(input);
  const isEarlier = input.version === undefined && !patched('decides-by-next-step');
  receiveMessages(progress, isEarlier);
  return CancellationScope.nonCancellable(() =>
    isEarlier ? new EarlierBatchRun(input, progress.state).carryOut() : new BatchRun(input, progress).toCompletion(),
  );
}

/** Sets the handlers before the first await, so that no early message is lost. */
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
  setHandler(checkRoundSignal, (round) => {
    state.checkRound(round);
    received();
  });
  setHandler(importEndedSignal, () => {
    state.endWait(Date.now());
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
  // a cancellation requested in the Temporal UI has the same effect
  CancellationScope.current().cancelRequested.catch(() => progress.cancel());
}
