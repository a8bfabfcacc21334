import { type Client, isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { type BatchDocument, removeBatch } from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import { removeDeletionPlan } from '../store/deletion-steps.ts';
import { recordBatchDeleted } from '../store/idempotency-keys.ts';
import { removeItemPages } from '../store/item-pages.ts';
import { removeOutcomePages } from '../store/outcome-pages.ts';
import { batchWorkflowId, cancelSignal } from '../workflows/messages.ts';

/** Time that a running workflow is given to end after its cancellation, in ms; after that the sweeper goes on. */
const CANCEL_WAIT_MS = 8_000;
const GRPC_NOT_FOUND = 5;

/**
 * Removes for good a batch that is marked as deleted: cancels its workflow, waits for its end, deletes the executions, and
 * then what is stored, the batch itself last: so that a crash on the way leaves what is needed to go on. Resources stay.
 * @returns false where its workflow still runs: to be tried again.
 */
export async function purgeBatch({ database, client }: { database: Database; client: Client }, batch: BatchDocument): Promise<boolean> {
  if (!(await endWorkflow(client, batch._id))) return false;
  await deleteExecutions(client, batch._id);
  await recordBatchDeleted(database, batch._id);
  if (batch.operation === 'delete') await removeDeletionPlan(database, batch._id);
  await removeOutcomePages(database, batch);
  await removeItemPages(database, batch);
  await removeBatch(database, batch._id);
  return true;
}

/** Cancels the workflow of a batch and waits for its end; one that never was has ended. */
async function endWorkflow(client: Client, batchId: string): Promise<boolean> {
  const handle = client.workflow.getHandle(batchWorkflowId(batchId));
  const deadline = Date.now() + CANCEL_WAIT_MS;
  try {
    await handle.signal(cancelSignal);
    while ((await handle.describe()).status.name === 'RUNNING') {
      if (Date.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return true;
    throw error;
  }
}

/** A retried batch has one execution a run. */
async function deleteExecutions(client: Client, batchId: string): Promise<void> {
  const workflowId = batchWorkflowId(batchId);
  const runs = new Set<string>();
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs.add(runId);
  // Visibility lags behind: the latest run may not be in it yet.
  const latest = await describeLatest(client, workflowId);
  if (latest !== null) runs.add(latest);
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

async function describeLatest(client: Client, workflowId: string): Promise<string | null> {
  try {
    return (await client.workflow.getHandle(workflowId).describe()).runId;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
