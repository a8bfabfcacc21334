import type { Client } from '@temporalio/client';
import proto, { type temporal } from '@temporalio/proto';
import { type DescribedExecution, describeExecution, hasStatus, NOT_FOUND } from './executions.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
const { EventType, HistoryEventFilterType } = proto.temporal.api.enums.v1;

/** Events read at a time, from the end on. */
const PAGE_SIZE = 100;

/** gRPC status codes of a long poll that ended without a result. */
const DEADLINE_EXCEEDED = 4;
const CANCELLED = 1;

export interface Run {
  readonly workflowId: string;
  readonly runId: string;
}

/** Identity of a batch in the histories of executions that it ends: the proof, durable with the effect, that this batch ended them. */
export const identityOf = (batchId: string): string => `drover/batch-${batchId}`;

const IS_OURS = /^drover\/batch-/;

/** How an execution was ended from outside. */
export interface ExternalEnd {
  readonly reason: string | null;
  readonly identity: string;
}

/**
 * The termination of an execution, or the cancellation request that it followed; null if it ended by itself. An execution that
 * cleaned up and completed after a cancellation request of Drover was ended from outside; after another client's request, it was not.
 */
export async function readExternalEnd(client: Client, execution: DescribedExecution): Promise<ExternalEnd | null> {
  if (execution.status === 'TERMINATED') {
    for await (const event of eventsFromEnd(client, execution, 1)) {
      const attributes = event.workflowExecutionTerminatedEventAttributes;
      return { reason: attributes?.reason || null, identity: attributes?.identity ?? '' };
    }
    return { reason: null, identity: '' };
  }
  if (!execution.cancelRequested && execution.status !== 'CANCELED') return null;
  const request = await findCancelRequest(client, execution);
  if (execution.status === 'CANCELED') return request ?? { reason: null, identity: '' };
  return request && IS_OURS.test(request.identity) ? request : null;
}

async function findCancelRequest(client: Client, run: Run): Promise<ExternalEnd | null> {
  let first: ExternalEnd | null = null;
  for await (const event of eventsFromEnd(client, run, PAGE_SIZE)) {
    if (event.eventType !== EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED) continue;
    const attributes = event.workflowExecutionCancelRequestedEventAttributes;
    first = { reason: attributes?.cause || null, identity: attributes?.identity ?? '' };
    if (IS_OURS.test(first.identity)) return first;
  }
  return first;
}

/**
 * Whether a batch ended an execution: directly, or by ending a child whose failure its parent did not survive.
 * @param since executions that ended before were not ended by the batch, in ms since 1970.
 */
export async function wasEndedBy(
  client: Client,
  batchId: string,
  execution: DescribedExecution,
  since: number,
): Promise<boolean> {
  if (execution.closeTime === null || execution.closeTime.getTime() < since) return false;
  const end = await readExternalEnd(client, execution);
  if (end?.identity === identityOf(batchId)) return true;
  if (execution.status !== 'FAILED') return false;
  for await (const event of eventsFromEnd(client, execution, 1)) {
    const child = failedChild(event.workflowExecutionFailedEventAttributes?.failure);
    const ended = child && (await describeExecution(client, child.workflowId, child.runId));
    return ended ? wasEndedBy(client, batchId, ended, since) : false;
  }
  return false;
}

/** The child in which a failure originated, however deep it is wrapped. */
function failedChild(failure: temporal.api.failure.v1.IFailure | null | undefined): Run | null {
  if (!failure) return null;
  const { workflowId, runId } = failure.childWorkflowExecutionFailureInfo?.workflowExecution ?? {};
  return workflowId && runId ? { workflowId, runId } : failedChild(failure.cause);
}

/** Events of a run, the last one first; none if the history is deleted. */
async function* eventsFromEnd(client: Client, run: Run, pageSize: number): AsyncGenerator<HistoryEvent, void> {
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await client.workflowService
      .getWorkflowExecutionHistoryReverse({
        namespace: client.options.namespace,
        execution: { workflowId: run.workflowId, runId: run.runId },
        maximumPageSize: pageSize,
        ...(nextPageToken && { nextPageToken }),
      })
      .catch((error: unknown) => {
        if (hasStatus(error, NOT_FOUND)) return null;
        throw error;
      });
    yield* page?.history?.events ?? [];
    nextPageToken = page?.nextPageToken ?? undefined;
  } while (nextPageToken && nextPageToken.length > 0);
}

/**
 * Waits, without polling, until a run is closed.
 * @param until in ms since 1970.
 * @returns whether it is closed by then.
 */
export async function waitUntilClosed(client: Client, run: Run, until: number, signal: AbortSignal): Promise<boolean> {
  let nextPageToken: Uint8Array | undefined;
  while (Date.now() < until) {
    signal.throwIfAborted();
    const poll = () =>
      client.workflowService.getWorkflowExecutionHistory({
        namespace: client.options.namespace,
        execution: { workflowId: run.workflowId, runId: run.runId },
        historyEventFilterType: HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        waitNewEvent: true,
        maximumPageSize: 1,
        ...(nextPageToken && { nextPageToken }),
      });
    try {
      const page = await client.withAbortSignal(signal, () => client.withDeadline(until, poll));
      if ((page.history?.events?.length ?? 0) > 0) return true;
      nextPageToken = page.nextPageToken ?? undefined;
    } catch (error) {
      if (hasStatus(error, NOT_FOUND)) return true;
      signal.throwIfAborted();
      if (!hasStatus(error, DEADLINE_EXCEEDED, CANCELLED)) throw error;
    }
  }
  return false;
}
