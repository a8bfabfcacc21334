import { type Client, type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { batchWorkflowId } from '../../workflows/messages.ts';
import { isSignalLimit } from '../batches/signal-limit.ts';

/** Tells a batch something about its import. One that has finished needs nothing; one that accepts no more signals is told again. */
export async function signalBatchOfImport(
  client: Client,
  batchId: string,
  send: (handle: WorkflowHandle) => Promise<void>,
): Promise<void> {
  try {
    await send(client.workflow.getHandle(batchWorkflowId(batchId)));
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError) && !isSignalLimit(error)) throw error;
  }
}
