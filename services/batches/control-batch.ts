import { WorkflowNotFoundError } from '@temporalio/client';
import { countRetried, isRetried, isTerminal } from '../../domain/batch/batch.ts';
import { DroverError, hasCode } from '../../domain/errors.ts';
import { type BatchDocument, readBatch } from '../../store/batches/batches.ts';
import { type ControlRequest, recordDelivered, requestControl } from '../../store/batches/control-requests.ts';
import { claimRetry } from '../../store/batches/run-state.ts';
import { outcomeChunks } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { batchWorkflowId, cancelSignal, resumeSignal, suspendSignal } from '../../workflows/messages.ts';
import { classifyFailure } from '../failures.ts';
import { type AcceptParts, startOrLeave } from './accept-batch.ts';
import { isSignalLimit } from './signal-limit.ts';
import { latestExecution, type StartParts, startBatch, startBatchInPlace } from './start-batch.ts';
import { isBeforeStart } from './start-time.ts';

/** The services that delivering a control request needs. */
interface DeliverParts extends StartParts {
  readonly database: Database;
}

export interface ControlParts extends DeliverParts, Pick<AcceptParts, 'logger' | 'confirmations' | 'startFailed'> {
  /** The bulk operation by which a batch is controlled, noted on it in the same write. */
  readonly bulkId?: string;
  /** Whether Temporal answers: if it does not, a stored request is left to recovery at once. */
  isTemporalThere(): Promise<boolean>;
  /** @throws if Temporal accepts no starts: then nothing is stored. */
  assertStarts(): Promise<void>;
}

/** Time to deliver a control request to the workflow, in ms; after that recovery delivers it. A caller gets its answer within 5 s. */
const DELIVERY_TIMEOUT_MS = 3_000;
/** Time for the start of a retry, in ms; after that recovery starts it. */
const RETRY_START_TIMEOUT_MS = 3_000;

type Verb = 'suspended' | 'resumed' | 'cancelled';

/** A batch with a stored control request: from now on activities respect what is stored. */
interface ControlledBatch {
  readonly batch: BatchDocument;
  /** Whether the request is delivered; if not, recovery delivers it: Temporal is unavailable, or accepts no more calls or signals for now. */
  readonly isDelivered: boolean;
}

/** Starts nothing new until resumed. Without effect on a suspended batch. @throws DroverError `operation_not_allowed` on a finished batch. */
export function suspendBatch(parts: ControlParts, batch: BatchDocument): Promise<ControlledBatch> {
  return control(parts, batch, { suspended: true }, 'suspended');
}

/** Continues where it stopped. Without effect on a batch that is not suspended. @throws DroverError `operation_not_allowed` on a finished batch. */
export function resumeBatch(parts: ControlParts, batch: BatchDocument): Promise<ControlledBatch> {
  return control(parts, batch, { suspended: false }, 'resumed');
}

/**
 * Applied items stay, running work finishes, the rest is cancelled. Without effect on a cancelled batch.
 * @throws DroverError `operation_not_allowed` on a batch that is finished with another status.
 */
export async function cancelBatch(parts: ControlParts, batch: BatchDocument): Promise<ControlledBatch> {
  try {
    return await control(parts, batch, { cancelRequested: true }, 'cancelled');
  } catch (error) {
    const now = hasCode(error, 'operation_not_allowed') ? await readBatch(parts.database, batch._id) : null;
    if (now?.status === 'cancelled') return { batch: now, isDelivered: true };
    throw error;
  }
}

/**
 * Stores a control request, which takes effect from that moment on (invariant 1: whatever dies now, recovery delivers it), then delivers it
 * to the workflow. So a request does not depend on Temporal, and is never half done.
 */
async function control(
  parts: ControlParts,
  batch: BatchDocument,
  request: ControlRequest,
  verb: Verb,
): Promise<ControlledBatch> {
  const requested = await requestControl(parts.database, batch._id, request, parts.bulkId);
  if (requested === null) throw await refused(parts, batch, verb);
  const delivery = await deliverOrLeave(parts, requested);
  if (delivery === 'closed') throw await refused(parts, batch, verb);
  return { batch: requested, isDelivered: delivery === 'delivered' };
}

/** Delivers the request now, or leaves that to recovery, which also starts the workflow if Temporal does not accept the start now. */
async function deliverOrLeave(parts: ControlParts, requested: BatchDocument): Promise<DeliveryState> {
  const { client, logger } = parts;
  const deadline = Date.now() + DELIVERY_TIMEOUT_MS;
  try {
    if (!(await parts.isTemporalThere())) return 'later';
    return await client.withDeadline(deadline, () => deliverRequest(parts, requested));
  } catch (error) {
    const isStart = hasCode(error, 'start_failed');
    const failure = isStart ? error.cause : error;
    if (isStart) parts.startFailed(failure);
    else if (!isOutageOfTemporal(failure)) throw error;
    logger.warn(
      { batchId: requested._id, err: failure },
      'a control request could not be delivered; recovery will deliver it',
    );
    return 'later';
  }
}

function isOutageOfTemporal(error: unknown): boolean {
  const failure = classifyFailure(error);
  return failure.kind === 'outage' && failure.server === 'temporal';
}

async function refused({ database }: DeliverParts, batch: BatchDocument, verb: Verb): Promise<DroverError> {
  const { status } = (await readBatch(database, batch._id)) ?? batch;
  const why = isTerminal(status) ? `is finished (${status})` : 'was ended in Temporal and is being finished';
  return new DroverError('operation_not_allowed', `the batch ${why} and cannot be ${verb}`);
}

/**
 * The result of delivering a control request: it is delivered; the workflow is closed; or the workflow accepts no more signals, and recovery
 * delivers the request once it has continued as new.
 */
export type DeliveryState = 'delivered' | 'closed' | 'later';

/**
 * Delivers the latest control request of a batch to its workflow, again until the last one delivered is the last one stored: requests
 * may overtake each other. A workflow that was not started yet is started with it.
 */
export async function deliverRequest(parts: DeliverParts, batch: BatchDocument): Promise<DeliveryState> {
  for (
    let requested: BatchDocument | null = batch;
    requested !== null;
    requested = await recordDelivered(parts.database, requested)
  ) {
    let delivery = await signal(parts, requested);
    if (delivery === 'closed')
      delivery = (await startUnlessDone(parts, requested)) ? 'delivered' : await signal(parts, requested);
    if (delivery !== 'delivered') return delivery;
  }
  return 'delivered';
}

async function signal(parts: DeliverParts, batch: BatchDocument): Promise<DeliveryState> {
  const { client } = parts;
  // it would get no signal before its time
  if (batch.cancelRequested && isBeforeStart(batch)) {
    await startBatchInPlace(parts, batch);
    return 'delivered';
  }
  const message = batch.cancelRequested ? cancelSignal : batch.asked?.suspended ? suspendSignal : resumeSignal;
  try {
    await client.workflow.getHandle(batchWorkflowId(batch._id)).signal(message, batch.asked?.token);
    return 'delivered';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'closed';
    if (isSignalLimit(error)) return 'later';
    throw error;
  }
}

/** Starts a run that is not started yet; it begins with the latest control request. */
async function startUnlessDone(parts: DeliverParts, { _id }: BatchDocument): Promise<boolean> {
  const now = await readBatch(parts.database, _id);
  if (now === null || isTerminal(now.status) || now.deletedAt !== undefined) return false;
  const latest = await latestExecution(parts.client, _id);
  if (latest !== null && latest.run >= now.run) return false;
  try {
    return await startBatch(parts, now);
  } catch (error) {
    throw new DroverError('start_failed', 'the workflow of a batch could not be started', { cause: error });
  }
}

/**
 * Runs the failed, expired and cancelled items of a finished batch again, in a new run of the same workflow id. The claim of the
 * run is one write, so one of several concurrent retries succeeds; recovery starts it after a crash.
 * @throws DroverError `operation_not_allowed` on a running batch, and if no item can be retried.
 */
export async function retryBatch(parts: ControlParts, batch: BatchDocument): Promise<BatchDocument> {
  if (batch.validateOnly)
    throw new DroverError('operation_not_allowed', 'what was only checked is not retried: import the rows again');
  if (!isTerminal(batch.status))
    throw new DroverError('operation_not_allowed', 'the batch is still running; only a finished one can be retried');
  if (batch.undoneBy !== undefined)
    throw new DroverError(
      'operation_not_allowed',
      `the batch was undone by batch ${batch.undoneBy}: it cannot be retried`,
    );
  if (!(await hasUnsuccessful(parts.database, batch))) {
    throw new DroverError('operation_not_allowed', 'nothing to retry: no item is failed, expired or cancelled');
  }
  await parts.assertStarts();
  const claimed = await claimRetry(parts.database, batch, parts.bulkId);
  if (claimed === null) throw new DroverError('operation_not_allowed', 'the batch is being retried already');
  await parts.client.withDeadline(Date.now() + RETRY_START_TIMEOUT_MS, () => startOrLeave(parts, claimed));
  return claimed;
}

async function hasUnsuccessful(database: Database, batch: BatchDocument): Promise<boolean> {
  if (batch.result) return countRetried(batch.operation, batch.result.counts) > 0;
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    for (const { status } of outcomes.values()) if (isRetried(batch.operation, status)) return true;
  }
  return false;
}
