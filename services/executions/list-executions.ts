import type { Client } from '@temporalio/client';
import { invalidRequest } from '../../domain/executions/camunda-fault.ts';
import { OPEN } from '../../domain/executions/process-instance-condition.ts';
import {
  and,
  asksForLeaves,
  type Condition,
  type ExecutionView,
  equals,
  holds,
  or,
  renderVisibility,
} from '../../domain/executions/visibility-condition.ts';
import { MAX_FACADE_COUNT_MS } from '../../domain/limits.ts';
import { parts } from '../../store/mongodb/parts.ts';
import { type DescribedExecution, describeExecution, isRunId, toView } from './executions.ts';

/** Executions of one page of a list; Temporal's own limit. */
const PAGE_SIZE = 1000;

/** Timeout of one page, in ms: a long list may take any time, an unavailable server may not. */
const PAGE_TIMEOUT_MS = 4_000;

/** Number of parents that are looked up at a time. */
const PARENTS_PER_QUERY = 200;

/**
 * Streams the executions for which a condition holds, newest first, a page at a time in bounded memory. Pages may be empty.
 * As accurate as visibility: an execution that started a moment ago may be missing, one that ended may still be listed.
 */
export async function* listExecutions(
  client: Client,
  condition: Condition,
  pageSize = PAGE_SIZE,
): AsyncGenerator<ExecutionView[], void> {
  const { query } = renderVisibility(condition);
  const leaves = asksForLeaves(condition);
  let nextPageToken: Uint8Array | undefined;
  do {
    const { namespace } = client.options;
    const token = nextPageToken;
    const page = await client.withDeadline(Date.now() + PAGE_TIMEOUT_MS, () =>
      client.workflowService.listWorkflowExecutions({
        namespace,
        query,
        pageSize,
        ...(token && { nextPageToken: token }),
      }),
    );
    const views = (page.executions ?? []).map(toView);
    const complete = leaves ? await withLeaves(client, views) : views;
    yield complete.filter((view) => holds(condition, view));
    nextPageToken = page.nextPageToken ?? undefined;
  } while (nextPageToken && nextPageToken.length > 0);
}

/** How many executions a condition holds for: the server's count if the server can evaluate the condition, else the length of a list. */
export async function countExecutions(client: Client, condition: Condition): Promise<number> {
  const { query, exact } = renderVisibility(condition);
  if (exact) {
    const { namespace } = client.options;
    return Number((await client.workflowService.countWorkflowExecutions({ namespace, query })).count ?? 0);
  }
  const deadline = Date.now() + MAX_FACADE_COUNT_MS;
  let count = 0;
  for await (const page of listExecutions(client, condition)) {
    count += page.length;
    if (Date.now() > deadline)
      throw invalidRequest(`the query selects more than can be counted in ${MAX_FACADE_COUNT_MS / 1000} s: narrow it`);
  }
  return count;
}

/** Finds which of some executions have a running child. */
async function withLeaves(client: Client, views: readonly ExecutionView[]): Promise<ExecutionView[]> {
  const parents = new Set<string>();
  for (const some of parts(views, PARENTS_PER_QUERY)) {
    const ids = some.map((view) => view.workflowId);
    const children = and({ kind: 'in', attribute: 'ParentWorkflowId', values: ids }, OPEN);
    for await (const page of listExecutions(client, children)) {
      for (const child of page) if (child.parent) parents.add(child.parent.workflowId);
    }
  }
  return views.map((view) => ({ ...view, isLeaf: !parents.has(view.workflowId) }));
}

/**
 * Finds an execution by workflow id (its latest run) or by run id; null if there is none. A run id is found once
 * visibility lists it.
 */
export async function findExecution(client: Client, id: string): Promise<DescribedExecution | null> {
  const latest = id === '' ? null : await describeExecution(client, id);
  if (latest !== null || !isRunId(id)) return latest;
  for await (const page of listExecutions(client, or(equals('RunId', id)), 1)) {
    const [found] = page;
    if (found) return describeExecution(client, found.workflowId, found.runId);
  }
  return null;
}
