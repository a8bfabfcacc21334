import { TypedSearchAttributes } from '@temporalio/common';
import { fairness } from '../../domain/batch/fairness-key.ts';
import { SEARCH_ATTRIBUTES } from '../../domain/batch/search-attributes.ts';
import { type BulkOperationDocument, confirmBulkStart } from '../../store/bulk/bulk-operations.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { BULK_WORKFLOW_TYPE, type BulkInput, bulkWorkflowId } from '../../workflows/bulk/messages.ts';
import { keyword, type StartParts } from '../batches/start-batch.ts';

/**
 * Starts the workflow of a bulk operation, and confirms that. If it runs already, that counts as success.
 * @throws ServiceError if Temporal cannot be reached.
 */
export async function startBulk(
  { client, taskQueue, activityTimeoutSeconds, database }: StartParts & { readonly database: Database },
  { _id, verb, scope }: BulkOperationDocument,
): Promise<void> {
  const input: BulkInput = { bulkId: _id, verb, activityTimeoutSeconds };
  await client.workflow.start(BULK_WORKFLOW_TYPE, {
    taskQueue,
    workflowId: bulkWorkflowId(_id),
    args: [input],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    priority: fairness({ scope, total: 0 }),
    staticSummary: `${verb} many batches`,
    typedSearchAttributes: new TypedSearchAttributes([{ key: keyword(SEARCH_ATTRIBUTES.operation), value: 'bulk' }]),
  });
  await confirmBulkStart(database, _id);
}
