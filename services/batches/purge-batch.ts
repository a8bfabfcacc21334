import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { hasSteps, isTerminal, isUndoable } from '../../domain/batch/batch.ts';
import { removeDeletionPlan } from '../../isolation/deletes/step-groups.ts';
import { type BatchDocument, readBatch, removeBatch } from '../../store/batches/batches.ts';
import { recordBatchDeleted } from '../../store/batches/idempotency-keys.ts';
import { removeImages } from '../../store/items/before-images.ts';
import { removeItemPages } from '../../store/items/item-pages.ts';
import { removeLists } from '../../store/items/key-lists.ts';
import { removeOutcomePages } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { batchWorkflowId, cancelSignal } from '../../workflows/messages.ts';
import { hasStatus, NOT_FOUND } from '../executions/executions.ts';
import { makeBatchMessages } from '../webhooks/make-messages.ts';
import { isSignalLimit } from './signal-limit.ts';
import { latestExecution, latestExecutionOf } from './start-batch.ts';
import { isBeforeStart } from './start-time.ts';

/** Time that a request waits for a running workflow to end after its cancellation, in ms; after that recovery continues. */
const CANCEL_WAIT_MS = 3_000;
const CANCEL_POLL_MS = 50;

/** Time for the last search for executions, in ms, however long the steps before it have taken. */
const LAST_LOOK_MS = 3_000;

/** Longest chain of runs that is followed back: a batch knows its executions itself, except those of earlier versions. */
const MAX_CHAIN = 1_000;

/**
 * Removes for good a batch that is marked as deleted: cancels its workflow, waits for its end, deletes the executions, and
 * then the stored documents, the batch itself last: so a crash in between leaves the information that is needed to continue. Resources stay.
 * Safe to repeat, and to run twice at once.
 * @param waitMs for the end of its workflow.
 * @returns false if it has to be tried again: its workflow still runs, or has died and batches that wait for it are not finished yet.
 */
export async function purgeBatch(
  { database, client }: { database: Database; client: Client },
  { _id }: Pick<BatchDocument, '_id'>,
  waitMs = CANCEL_WAIT_MS,
): Promise<boolean> {
  const found = await readBatch(database, _id);
  if (!(await endWorkflow(client, _id, waitMs, found !== null && isBeforeStart(found)))) return false;
  const batch = await readBatch(database, _id);
  if (batch === null) return true;
  if (!isTerminal(batch.status) && batch.startedAt !== undefined) return false;
  // the process that has ended it may have died before it told anybody; recovery finds the messages
  if (batch.events !== undefined) await makeBatchMessages(database, batch);
  await deleteExecutions(client, batch);
  await recordBatchDeleted(database, _id);
  if (hasSteps(batch.operation)) await removeDeletionPlan(database, _id);
  if (isUndoable(batch)) await removeImages(database, _id);
  await removeLists(database, _id);
  await removeOutcomePages(database, batch);
  await removeItemPages(database, batch);
  await removeBatch(database, _id);
  // A process that was about to start the batch meanwhile has left an execution; a later start finds no batch, and removes itself.
  await client.withDeadline(Date.now() + LAST_LOOK_MS, () => deleteExecutions(client, { _id }));
  return true;
}

/** Cancels the workflow of a batch and waits for its end; a workflow that never existed counts as ended. */
async function endWorkflow(client: Client, batchId: string, waitMs: number, isBeforeStart: boolean): Promise<boolean> {
  const deadline = Date.now() + waitMs;
  const handle = client.workflow.getHandle(batchWorkflowId(batchId));
  try {
    // its mark is stored, which already stops everything
    await handle.signal(cancelSignal, 'deleted');
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return true;
    // its activities respect the mark; it is cancelled once it has continued as new
    if (isSignalLimit(error)) return false;
    throw error;
  }
  for (;;) {
    const execution = await latestExecution(client, batchId);
    if (execution === null || !execution.isOpen) return true;
    // one that waits for its start time gets no signal; a paused workflow handles none, and no operator has a reason to unpause it for a batch that is deleted
    if (execution.isPaused || isBeforeStart) await handle.terminate('its batch was deleted');
    else if (Date.now() > deadline) return false;
    await sleep(CANCEL_POLL_MS);
  }
}

/**
 * Deletes every execution of a batch's workflow: a retried batch has one for each run, a long one several. The batch knows them
 * itself, except the latest one; visibility is not queried: it accepts few queries a second and lags.
 */
export async function deleteExecutions(
  client: Client,
  { _id, executions = [] }: Pick<BatchDocument, '_id' | 'executions'>,
): Promise<void> {
  await deleteExecutionsOf(client, batchWorkflowId(_id), executions);
}

/** The same of any workflow of Drover. @param executions the run ids that are known. */
export async function deleteExecutionsOf(
  client: Client,
  workflowId: string,
  executions: readonly string[] = [],
): Promise<void> {
  const runs = new Set(executions.filter((runId) => runId !== ''));
  const latest = await latestExecutionOf(client, workflowId);
  if (latest !== null) for (const runId of await chainOf(client, workflowId, latest, runs)) runs.add(runId);
  for (const runId of runs) {
    try {
      await client.workflowService.deleteWorkflowExecution({
        namespace: client.options.namespace,
        workflowExecution: { workflowId, runId },
      });
    } catch (error) {
      if (!hasStatus(error, NOT_FOUND)) throw error;
    }
  }
}

/** An execution and those that it has continued, from the last unknown one back to a known one. */
async function chainOf(
  client: Client,
  workflowId: string,
  { runId, firstRunId }: { readonly runId: string; readonly firstRunId: string },
  known: ReadonlySet<string>,
): Promise<string[]> {
  const chain = [runId];
  for (let at = runId; at !== firstRunId && chain.length < MAX_CHAIN; ) {
    const before = await continuedBy(client, workflowId, at);
    if (before === null || known.has(before)) break;
    chain.push(before);
    at = before;
  }
  return chain;
}

/** The run that a run has continued, according to its first event; null if there is none, or its history is deleted. */
async function continuedBy(client: Client, workflowId: string, runId: string): Promise<string | null> {
  try {
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    });
    return history?.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || null;
  } catch (error) {
    if (hasStatus(error, NOT_FOUND)) return null;
    throw error;
  }
}
