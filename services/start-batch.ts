import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import type { BatchDocument } from '../store/batches.ts';
import { BATCH_WORKFLOW_TYPE, type BatchInput, batchWorkflowId, SEARCH_ATTRIBUTES } from '../workflows/messages.ts';

/** What a batch is about where it is about no schema definition. */
const NO_SCHEMA = 'process instances';

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

/** What a start takes beside the batch. */
export interface StartParts {
  readonly client: Client;
  readonly taskQueue: string;
  /** See `ACTIVITY_TIMEOUT_SECONDS`. */
  readonly activityTimeoutSeconds: number;
}

/**
 * Starts the workflow that carries out a run of a batch. One that runs already is success: of many starts one counts. A start
 * that comes too late does no harm: the workflow finds its run finished and ends.
 * @throws ServiceError where Temporal cannot be reached.
 */
export async function startBatch({ client, taskQueue, activityTimeoutSeconds }: StartParts, batch: BatchDocument): Promise<void> {
  const input: BatchInput = {
    batchId: batch._id,
    operation: batch.operation,
    scope: batch.scope,
    schemaName: batch.schemaName ?? NO_SCHEMA,
    total: batch.total,
    run: batch.run,
    activityTimeoutSeconds,
  };
  try {
    await client.workflow.start(BATCH_WORKFLOW_TYPE, {
      taskQueue,
      workflowId: batchWorkflowId(batch._id),
      args: [input],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      memo: { run: batch.run },
      staticSummary: `${batch.operation} of ${batch.total} × ${input.schemaName}`,
      typedSearchAttributes: new TypedSearchAttributes([
        { key: keyword(SEARCH_ATTRIBUTES.platform), value: batch.platform },
        { key: keyword(SEARCH_ATTRIBUTES.tenant), value: batch.tenant },
        { key: keyword(SEARCH_ATTRIBUTES.schema), value: input.schemaName },
        { key: keyword(SEARCH_ATTRIBUTES.operation), value: batch.operation },
        { key: keyword(SEARCH_ATTRIBUTES.status), value: 'queued' },
      ]),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
