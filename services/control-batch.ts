import { WorkflowNotFoundError } from '@temporalio/client';
import type { SignalDefinition } from '@temporalio/common';
import { isTerminal } from '../domain/batch.ts';
import { type BatchDocument, claimRetry, requestControl } from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import { outcomeChunks } from '../store/outcome-pages.ts';
import { batchWorkflowId, cancelSignal, resumeSignal, suspendSignal } from '../workflows/messages.ts';
import { type StartParts, startBatch } from './start-batch.ts';

export interface ControlParts extends StartParts {
  readonly database: Database;
}

/** The state of the batch does not allow the operation; the message says why. */
export class NotAllowedError extends Error {
  override readonly name = 'NotAllowedError';
}

const finished = (batch: BatchDocument, verb: string): NotAllowedError =>
  new NotAllowedError(`the batch is finished (${batch.status}) and cannot be ${verb}`);

/** Starts nothing new until resumed. Without effect on a suspended batch. @throws NotAllowedError on a finished batch. */
export async function suspendBatch(parts: ControlParts, batch: BatchDocument): Promise<BatchDocument> {
  const stored = await requestControl(parts.database, batch._id, { suspended: true });
  if (stored === null) throw finished(batch, 'suspended');
  return tell(parts, stored, suspendSignal, 'suspended');
}

/** Goes on where it stopped. Without effect on a batch that is not suspended. @throws NotAllowedError on a finished batch. */
export async function resumeBatch(parts: ControlParts, batch: BatchDocument): Promise<BatchDocument> {
  const stored = await requestControl(parts.database, batch._id, { suspended: false });
  if (stored === null) throw finished(batch, 'resumed');
  return tell(parts, stored, resumeSignal, 'resumed');
}

/** What was applied stays, what runs finishes, the rest is cancelled. @throws NotAllowedError on a finished batch. */
export async function cancelBatch(parts: ControlParts, batch: BatchDocument): Promise<BatchDocument> {
  const stored = await requestControl(parts.database, batch._id, { cancelRequested: true });
  if (stored === null) throw finished(batch, 'cancelled');
  return tell(parts, stored, cancelSignal, 'cancelled');
}

/** Signals the workflow; one that was accepted and not started yet is started first. */
async function tell(parts: ControlParts, batch: BatchDocument, signal: SignalDefinition, verb: string): Promise<BatchDocument> {
  const handle = parts.client.workflow.getHandle(batchWorkflowId(batch._id));
  try {
    await handle.signal(signal);
    return batch;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  const now = await parts.database.batches.findOne({ _id: batch._id });
  if (now === null || isTerminal(now.status)) throw finished(now ?? batch, verb);
  await startBatch(parts, now);
  await handle.signal(signal);
  return now;
}

/**
 * Runs the failed, expired and cancelled items of a finished batch again, in a new run of the same workflow id. The claim of the
 * run is one write, so that of concurrent retries one counts; a crash before its start is mended by the sweeper.
 * @throws NotAllowedError on a running batch, and where nothing is to be retried.
 */
export async function retryBatch(parts: ControlParts, batch: BatchDocument): Promise<BatchDocument> {
  if (!isTerminal(batch.status)) throw new NotAllowedError('the batch is still running; only a finished one can be retried');
  if (!(await hasUnsuccessful(parts.database, batch))) {
    throw new NotAllowedError('nothing to retry: no item is failed, expired or cancelled');
  }
  const claimed = await claimRetry(parts.database, batch);
  if (claimed === null) throw new NotAllowedError('the batch is being retried already');
  await startBatch(parts, claimed);
  return claimed;
}

async function hasUnsuccessful(database: Database, batch: BatchDocument): Promise<boolean> {
  if (batch.result) {
    const { failed, expired, cancelled } = batch.result.counts;
    return failed + expired + cancelled > 0;
  }
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    for (const { status } of outcomes.values()) if (['failed', 'expired', 'cancelled'].includes(status)) return true;
  }
  return false;
}
