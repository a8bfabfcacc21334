import { type Client, isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { isTerminal } from '../domain/batch.ts';
import { type BatchDocument, readBatch, removeBatch } from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import { removeDeletionPlan } from '../store/deletion-steps.ts';
import { recordBatchDeleted } from '../store/idempotency-keys.ts';
import { removeItemPages } from '../store/item-pages.ts';
import { removeOutcomePages } from '../store/outcome-pages.ts';
import { batchWorkflowId, cancelSignal } from '../workflows/messages.ts';
import { latestExecution } from './start-batch.ts';

/** Time that a running workflow is given to end after its cancellation, in ms; after that the sweeper goes on. */
const CANCEL_WAIT_MS = 8_000;
const CANCEL_POLL_MS = 50;
const GRPC_NOT_FOUND = 5;

/**
 * Removes for good a batch that is marked as deleted: cancels its workflow, waits for its end, deletes the executions, and
 * then what is stored, the batch itself last: so that a crash on the way leaves what is needed to go on. Resources stay.
 * Safe to repeat, and to do twice at once.
 * @returns false where it is to be tried again: its workflow still runs, or has died and what waits for it is not settled yet.
 */
export async function purgeBatch(
  { database, client }: { database: Database; client: Client },
  { _id }: BatchDocument,
): Promise<boolean> {
  if (!(await endWorkflow(client, _id))) return false;
  const batch = await readBatch(database, _id);
  if (batch === null) return true;
  if (!isTerminal(batch.status) && batch.startedAt !== undefined) return false;
  await deleteExecutions(client, batch);
  await recordBatchDeleted(database, _id);
  if (batch.operation === 'delete') await removeDeletionPlan(database, _id);
  await removeOutcomePages(database, batch);
  await removeItemPages(database, batch);
  await removeBatch(database, _id);
  // Whoever was about to start it while we removed it has left an execution; a later start finds no batch, and removes itself.
  await deleteExecutions(client, batch);
  return true;
}

/** Cancels the workflow of a batch and waits for its end; one that never was has ended. */
async function endWorkflow(client: Client, batchId: string): Promise<boolean> {
  const deadline = Date.now() + CANCEL_WAIT_MS;
  try {
    await client.workflow.getHandle(batchWorkflowId(batchId)).signal(cancelSignal);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return true;
    throw error;
  }
  while ((await latestExecution(client, batchId))?.isRunning) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, CANCEL_POLL_MS));
  }
  return true;
}

/**
 * Deletes every execution of a batch's workflow: a retried batch has one a run, a long one several. Visibility lags behind, so
 * those that the batch knows of itself and the latest one are added to those that it finds.
 */
export async function deleteExecutions(
  client: Client,
  batch: Pick<BatchDocument, '_id' | 'executions'>,
): Promise<void> {
  const workflowId = batchWorkflowId(batch._id);
  const runs = new Set(batch.executions);
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs.add(runId);
  const latest = await latestExecution(client, batch._id);
  if (latest !== null) runs.add(latest.runId);
  for (const runId of runs) {
    try {
      await client.workflowService.deleteWorkflowExecution({
        namespace: client.options.namespace,
        workflowExecution: { workflowId, runId },
      });
    } catch (error) {
      if (!isGrpcServiceError(error) || error.code !== GRPC_NOT_FOUND) throw error;
    }
  }
}
