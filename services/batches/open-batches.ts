import type { Client } from '@temporalio/client';
import { OPEN } from '../../domain/executions/process-instance-condition.ts';
import { and, type Condition, equals } from '../../domain/executions/visibility-condition.ts';
import { BATCH_WORKFLOW_TYPE, batchWorkflowId } from '../../workflows/messages.ts';
import { listExecutions } from '../executions/list-executions.ts';

/** Pages of a list that are read for one query: other executions may lie between the requested ones. */
const MAX_PAGES = 4;

/**
 * The batches of a list that have an open execution according to visibility, paused ones included. Visibility lags, so a batch that is missing
 * may be open all the same: a caller that needs to know has to describe its execution.
 * @param batchIds in order; ids of batches are in order of their creation, so that a range of them holds few others.
 */
export async function openBatchIds(
  client: Client,
  taskQueue: string,
  batchIds: readonly string[],
): Promise<Set<string>> {
  const [first = '', last = ''] = [batchIds[0], batchIds.at(-1)];
  const condition = and(
    equals('WorkflowType', BATCH_WORKFLOW_TYPE),
    equals('TaskQueue', taskQueue),
    OPEN,
    idBound('>=', first),
    idBound('<=', last),
  );
  const prefix = batchWorkflowId('').length;
  const open = new Set<string>();
  let pages = 0;
  for await (const page of listExecutions(client, condition)) {
    for (const { workflowId } of page) open.add(workflowId.slice(prefix));
    pages += 1;
    if (pages === MAX_PAGES) break;
  }
  return open;
}

const idBound = (comparator: '>=' | '<=', batchId: string): Condition => ({
  kind: 'compare',
  attribute: 'WorkflowId',
  comparator,
  value: batchWorkflowId(batchId),
});
