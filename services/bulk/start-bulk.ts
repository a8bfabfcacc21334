import { TypedSearchAttributes } from '@temporalio/common';
import type { Logger } from 'pino';
import { fairness } from '../../domain/batch/fairness-key.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import { SEARCH_ATTRIBUTES } from '../../domain/batch/search-attributes.ts';
import { DroverError } from '../../domain/errors.ts';
import { MAX_BULK_RUNNING } from '../../domain/limits.ts';
import { type BulkOperationDocument, confirmBulkStart, countRunningBulk } from '../../store/bulk/bulk-operations.ts';
import type { Database } from '../../store/mongodb/database.ts';
import {
  BULK_WORKFLOW_TYPE,
  type BulkInput,
  bulkWorkflowId,
  IMPORT_UNDO_WORKFLOW_TYPE,
} from '../../workflows/bulk/messages.ts';
import { keyword, type StartParts } from '../batches/start-batch.ts';
import { classifyFailure } from '../failures.ts';

/** Time for the start of a workflow, in ms; after that recovery starts it. */
const START_TIMEOUT_MS = 3_000;
/** Time in which the process that stores one starts its workflow; after that recovery does, in ms. */
const START_GRACE_MS = 5_000;

/** That the start is not confirmed. */
export const toBeStartedBulk = (createdAt: Date) => ({
  unstarted: true as const,
  startDue: new Date(createdAt.getTime() + START_GRACE_MS),
});

/** @throws DroverError 429 if as many of the tenant run as may. */
export async function assertRoomForBulk(database: Database, scope: Scope): Promise<void> {
  if ((await countRunningBulk(database, scope, MAX_BULK_RUNNING)) < MAX_BULK_RUNNING) return;
  throw new DroverError(
    'too_many_requests',
    `${MAX_BULK_RUNNING} bulk operations are running: try again when one has ended`,
  );
}

/** A bulk operation that is stored: if it cannot be started now, recovery starts it. */
export async function startBulkOrLeave(
  parts: StartParts & {
    readonly database: Database;
    readonly logger: Logger;
    isTemporalThere(): Promise<boolean>;
  },
  operation: BulkOperationDocument,
): Promise<void> {
  const { client, logger, isTemporalThere } = parts;
  try {
    if (!(await isTemporalThere())) return;
    await client.withDeadline(Date.now() + START_TIMEOUT_MS, () => startBulk(parts, operation));
  } catch (error) {
    if (classifyFailure(error).kind !== 'outage') throw error;
    logger.warn({ bulkId: operation._id, err: error }, 'a bulk operation could not be started; recovery will start it');
  }
}

/**
 * Starts the workflow of a bulk operation, and confirms that. If it runs already, that counts as success.
 * @throws ServiceError if Temporal cannot be reached.
 */
export async function startBulk(
  { client, taskQueue, activityTimeoutSeconds, database }: StartParts & { readonly database: Database },
  { _id, verb, scope }: Pick<BulkOperationDocument, '_id' | 'verb' | 'scope'>,
): Promise<void> {
  const input: BulkInput = { bulkId: _id, verb, activityTimeoutSeconds };
  await client.workflow.start(verb === 'undo' ? IMPORT_UNDO_WORKFLOW_TYPE : BULK_WORKFLOW_TYPE, {
    taskQueue,
    workflowId: bulkWorkflowId(_id),
    args: [input],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    priority: fairness({ scope, total: 0 }),
    staticSummary: verb === 'undo' ? 'undo of an import' : `${verb} many batches`,
    typedSearchAttributes: new TypedSearchAttributes([{ key: keyword(SEARCH_ATTRIBUTES.operation), value: 'bulk' }]),
  });
  await confirmBulkStart(database, _id);
}
