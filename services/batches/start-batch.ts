import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import proto from '@temporalio/proto';
import { fairness } from '../../domain/batch/fairness-key.ts';
import { DroverError } from '../../domain/errors.ts';
import { DEFAULT_PRIORITY } from '../../domain/imports/import.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import {
  BATCH_WORKFLOW_TYPE,
  type BatchInput,
  batchWorkflowId,
  SEARCH_ATTRIBUTES,
  WORKFLOW_VERSION,
} from '../../workflows/messages.ts';

/** Value of the schema attribute for batches without a schema definition. */
const NO_SCHEMA = 'process instances';

export const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

/** The services and settings of a start, beside the batch. */
export interface StartParts {
  readonly client: Client;
  readonly taskQueue: string;
  /** See `ACTIVITY_TIMEOUT_SECONDS`. */
  readonly activityTimeoutSeconds: number;
}

/** Time in which an earlier run has to close, in ms: its end is stored, and its workflow is about to report it to Temporal. */
const CLOSING_MS = 3_000;
const CLOSING_POLL_MS = 50;

/**
 * Starts the workflow that runs a batch. If it runs already, that counts as success: of several starts one takes effect. A start
 * that comes too late does no harm: the workflow finds its run finished and ends.
 * @returns whether this call has started it; if not, another one has.
 * @throws ServiceError if Temporal cannot be reached; DroverError `earlier_run_open` while the execution of the run before has not closed.
 */
export function startBatch(parts: StartParts, batch: BatchDocument): Promise<boolean> {
  const about = { workflowId: batchWorkflowId(batch._id), run: batch.run };
  return startRun(parts.client, about, () => tryToStart(parts, batch));
}

/** See `startBatch`. @param start calls Temporal, and returns false if there is an execution already. */
export async function startRun(
  client: Client,
  { workflowId, run }: { readonly workflowId: string; readonly run: number },
  start: () => Promise<boolean>,
): Promise<boolean> {
  // if not closed, the run before has stored its end, on which a retry is based, and is closed a moment later
  const deadline = Date.now() + CLOSING_MS;
  for (;;) {
    if (await start()) return true;
    if (run === 1 || ((await latestExecutionOf(client, workflowId))?.run ?? 0) >= run) return false;
    // if this counted as started, no process would start the run (invariant 1)
    if (Date.now() > deadline) throw new DroverError('earlier_run_open', `the run before ${run} has not closed`);
    await sleep(CLOSING_POLL_MS);
  }
}

async function tryToStart(
  { client, taskQueue, activityTimeoutSeconds }: StartParts,
  batch: BatchDocument,
): Promise<boolean> {
  const input: BatchInput = {
    version: WORKFLOW_VERSION,
    batchId: batch._id,
    operation: batch.operation,
    scope: batch.scope,
    schemaName: batch.schemaName ?? NO_SCHEMA,
    total: batch.total,
    pageSize: batch.pageSize,
    run: batch.run,
    activityTimeoutSeconds,
    ...(batch.suspended && { suspended: true }),
    ...(batch.cancelRequested && { cancelled: true }),
    ...(batch.asked && { asked: batch.asked.token }),
    ...importOf(batch),
  };
  try {
    await client.workflow.start(BATCH_WORKFLOW_TYPE, {
      taskQueue,
      workflowId: batchWorkflowId(batch._id),
      args: [input],
      // A first run is started once, however late a second start comes; a retry follows a closed run.
      workflowIdReusePolicy: batch.run === 1 ? 'REJECT_DUPLICATE' : 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      priority: fairness(input),
      memo: { run: batch.run, activityTimeoutSeconds },
      staticSummary: `${batch.operation} of ${batch.total} × ${input.schemaName}`,
      typedSearchAttributes: new TypedSearchAttributes([
        { key: keyword(SEARCH_ATTRIBUTES.platform), value: batch.platform },
        // a batch that acts on the namespace belongs to no tenant, and no tenant's query finds it
        ...(batch.tenant === '' ? [] : [{ key: keyword(SEARCH_ATTRIBUTES.tenant), value: batch.tenant }]),
        { key: keyword(SEARCH_ATTRIBUTES.schema), value: input.schemaName },
        { key: keyword(SEARCH_ATTRIBUTES.operation), value: batch.operation },
        { key: keyword(SEARCH_ATTRIBUTES.status), value: 'queued' },
      ]),
    });
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

/** The place of a batch in its import, if it is part of one. */
const importOf = ({ importId, importNumber, importPriority }: BatchDocument): Pick<BatchInput, 'ofImport'> =>
  importId === undefined || importNumber === undefined
    ? {}
    : { ofImport: { importId, number: importNumber, priority: importPriority ?? DEFAULT_PRIORITY } };

/** The properties of an execution of a batch's workflow that matter for running the batch. */
export interface BatchExecution {
  readonly runId: string;
  readonly run: number;
  /** Time limit of its activities; undefined if an earlier version has started it. */
  readonly activityTimeoutSeconds: number | undefined;
  /** It ends only with a close time: a paused execution is open, and so is one in an unknown state. */
  readonly isOpen: boolean;
  readonly isPaused: boolean;
  readonly hasFailed: boolean;
  readonly closedAt: Date | undefined;
  /** First of the chain of runs that continue-as-new makes. */
  readonly firstRunId: string;
}

const { WORKFLOW_EXECUTION_STATUS_PAUSED } = proto.temporal.api.enums.v1.WorkflowExecutionStatus;

/** The latest execution of a batch's workflow; null if there is none (any more). */
export const latestExecution = (client: Client, batchId: string): Promise<BatchExecution | null> =>
  latestExecutionOf(client, batchWorkflowId(batchId));

/** The latest execution of a workflow that is started with the number of its run as a memo; null if there is none (any more). */
export async function latestExecutionOf(client: Client, workflowId: string): Promise<BatchExecution | null> {
  try {
    const { runId, status, memo, closeTime, raw } = await client.workflow.getHandle(workflowId).describe();
    return {
      runId,
      run: Number(memo?.run ?? 1),
      activityTimeoutSeconds:
        memo?.activityTimeoutSeconds === undefined ? undefined : Number(memo.activityTimeoutSeconds),
      isOpen: closeTime === undefined,
      isPaused: raw.workflowExecutionInfo?.status === WORKFLOW_EXECUTION_STATUS_PAUSED,
      hasFailed: status.name === 'FAILED',
      closedAt: closeTime,
      firstRunId: raw.workflowExecutionInfo?.firstRunId || runId,
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
