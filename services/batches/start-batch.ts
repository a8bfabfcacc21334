import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import proto from '@temporalio/proto';
import { type AboutBatch, DEFAULT_PRIORITY } from '../../domain/batch/about.ts';
import { fairness } from '../../domain/batch/fairness-key.ts';
import { DroverError } from '../../domain/errors.ts';
import { shortened } from '../../domain/json/shortened.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import {
  BATCH_WORKFLOW_TYPE,
  type BatchInput,
  batchWorkflowId,
  SEARCH_ATTRIBUTES,
  WORKFLOW_VERSION,
} from '../../workflows/messages.ts';
import { hasStatus, NOT_FOUND } from '../executions/executions.ts';
import { IN_PLACE, startDelay, startsLater } from './start-time.ts';

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

/** Starts the workflow of a batch that waits for its start time at once: it is cancelled. */
export const startBatchInPlace = (parts: StartParts, batch: BatchDocument): Promise<void> =>
  startInPlace(parts.client, batchWorkflowId(batch._id), () => tryToStart(parts, batch, IN_PLACE));

/** A first run is started once, however late a second start comes; a retry follows a closed run. */
const policiesFor = ({ run }: BatchDocument) =>
  ({
    workflowIdReusePolicy: run === 1 ? 'REJECT_DUPLICATE' : 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'FAIL',
  }) as const;

async function tryToStart(
  { client, taskQueue, activityTimeoutSeconds }: StartParts,
  batch: BatchDocument,
  policies: ReturnType<typeof policiesFor> | typeof IN_PLACE = policiesFor(batch),
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
    ...(batch.priority !== undefined && { priority: batch.priority }),
    ...(batch.isForAll && { isForAll: true }),
    ...(startsLater(batch) && { startAt: batch.startAt.getTime() }),
    ...importOf(batch),
  };
  try {
    await client.workflow.start(BATCH_WORKFLOW_TYPE, {
      taskQueue,
      workflowId: batchWorkflowId(batch._id),
      args: [input],
      ...policies,
      priority: fairness(input),
      ...(input.startAt !== undefined && startDelay(input.startAt)),
      memo: { run: batch.run, activityTimeoutSeconds, ...aboutMemo(batch) },
      staticSummary: labelled(`${batch.operation} of ${batch.total} × ${input.schemaName}`, batch.label),
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

/** What the Temporal UI shows beside an execution: what its caller has said of it. */
export const aboutMemo = ({ label, priority, startAt, createdBy }: AboutBatch): Record<string, string | number> => ({
  ...(label !== undefined && { label }),
  ...(priority !== undefined && { priority }),
  ...(startAt !== undefined && { startAt: startAt.toISOString() }),
  ...(createdBy !== undefined && { createdBy }),
});

/** Longest summary of an execution, in UTF-16 code units: Temporal takes 400 bytes. */
const MAX_SUMMARY = 200;
/** Most of it that a label takes: one of 100 characters may have 400 bytes. */
const MAX_LABEL_SHOWN = 30;

export const labelled = (summary: string, label: string | undefined): string =>
  shortened(label === undefined ? summary : `${shortened(label, MAX_LABEL_SHOWN)}: ${summary}`, MAX_SUMMARY);

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

/** Starts a workflow at once that waits for its start time, and removes the execution that waited. Safe to repeat. */
export async function startInPlace(client: Client, workflowId: string, start: () => Promise<unknown>): Promise<void> {
  const before = await latestExecutionOf(client, workflowId);
  await start();
  if (before !== null) await deleteExecution(client, workflowId, before.runId);
}

async function deleteExecution(client: Client, workflowId: string, runId: string): Promise<void> {
  try {
    const { namespace } = client.options;
    await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } });
  } catch (error) {
    if (!hasStatus(error, NOT_FOUND)) throw error;
  }
}
