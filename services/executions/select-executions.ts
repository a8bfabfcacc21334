import type { Client } from '@temporalio/client';
import type { Scope } from '../../domain/batch/scope.ts';
import {
  filterCondition,
  OPEN,
  reachCondition,
  subInstancesIn,
} from '../../domain/executions/process-instance-condition.ts';
import type { ProcessInstanceFilter } from '../../domain/executions/process-instance-query.ts';
import {
  and,
  assertBounded,
  type Condition,
  type ExecutionView,
  holds,
} from '../../domain/executions/visibility-condition.ts';
import { slices } from '../../store/mongodb/slices.ts';
import { type DescribedExecution, describeExecution, readAttributeTypes } from './executions.ts';
import { findExecution, listExecutions } from './list-executions.ts';
import { isOwnOfDrover, NOT_OWN } from './own-executions.ts';

/** Difference that the clocks of this machine and of Temporal may have, in ms. */
export const CLOCK_SKEW_MS = 1_000;

/** How long visibility may show a run that has ended beside the next one of its chain, in ms. */
const VISIBILITY_LAG_MS = 60_000;

/** Executions that are checked side by side. */
const LOOKED_AT_ONCE = 20;

/** What a caller may reach: executions of a tenant, or with null all of the namespace. */
export type Reach = Scope | null;

/**
 * The running executions that a process instance query selects out of what the caller may reach.
 * @throws CamundaFault naming a filter that cannot be translated.
 */
export async function selectRunning(client: Client, reach: Reach, filter: ProcessInstanceFilter): Promise<Condition> {
  const types = asksForVariables(filter) ? await readAttributeTypes(client) : new Map();
  const parents = new Map<string, { workflowId: string; runId: string }>();
  for (const id of subInstancesIn(filter)) {
    const child = await findReachable(client, reach, id);
    if (child?.parent) parents.set(id, child.parent);
  }
  const condition = and(OPEN, NOT_OWN, reachCondition(reach), filterCondition(filter, { types, parents }));
  assertBounded(condition);
  return condition;
}

function asksForVariables(filter: ProcessInstanceFilter): boolean {
  return filter.variables !== undefined || (filter.orQueries ?? []).some(asksForVariables);
}

/** An execution, by workflow id or run id, that is a process instance the caller may reach; whether it runs or not. */
export async function findReachable(client: Client, reach: Reach, id: string): Promise<DescribedExecution | null> {
  const found = await findExecution(client, id);
  return found && !isOwnOfDrover(found) && holds(reachCondition(reach), found) ? found : null;
}

/**
 * The running executions that a condition holds for and that were there at a moment, each once, a page at a time. Pages may be
 * empty.
 *
 * Paging skips none of them. Visibility lists the latest start first, and a page goes on behind the last entry of the page
 * before: a place in that order, so that nothing moves when others end or start. Only a chain of runs does, from a page yet to
 * come to one that has been, when it goes on in its next run meanwhile (continue-as-new, retry, cron). So after a listing of
 * several pages, what has started since is listed too, until that is one page or nothing new.
 *
 * In the same way two runs of a chain may be listed, the later one first. Only what has started lately can be a later one, so
 * memory grows with the starts of a minute, not with what is selected.
 */
export async function* selectedAt(
  client: Client,
  condition: Condition,
  at: Date,
  pageSize?: number,
): AsyncGenerator<ExecutionView[], void> {
  const recentFrom = new Date(at.getTime() - VISIBILITY_LAG_MS);
  const recent = new Set<string>();
  const isNew = ({ workflowId, startTime }: ExecutionView): boolean => {
    if (startTime < recentFrom) return true;
    const isKnown = recent.has(workflowId);
    recent.add(workflowId);
    return !isKnown;
  };
  for (let since: Date | undefined, isFirst = true; ; isFirst = false) {
    const listed = since === undefined ? condition : and(condition, startedFrom(since));
    since = new Date(Date.now() - CLOCK_SKEW_MS);
    let pages = 0;
    let found = 0;
    for await (const page of listExecutions(client, listed, pageSize)) {
      const there = await onlyThere(client, page.filter(isNew), at);
      pages += 1;
      found += there.length;
      yield there;
    }
    if (pages <= 1 || (!isFirst && found === 0)) return;
  }
}

const startedFrom = (value: Date): Condition => ({
  kind: 'compare',
  attribute: 'StartTime',
  comparator: '>=',
  value,
});

async function onlyThere(client: Client, executions: readonly ExecutionView[], at: Date): Promise<ExecutionView[]> {
  const there: ExecutionView[] = [];
  for (const some of slices(executions, LOOKED_AT_ONCE)) {
    const were = await Promise.all(some.map((execution) => wasThere(client, execution, at)));
    there.push(...some.filter((_, n) => were[n]));
  }
  return there;
}

/** Whether an execution was there at a moment, be it as an earlier run of its chain. */
export async function wasThere(client: Client, execution: ExecutionView, at: Date): Promise<boolean> {
  const latest = at.getTime() + CLOCK_SKEW_MS;
  if (execution.startTime.getTime() <= latest) return true;
  const { workflowId, runId } = execution;
  const firstRunId = (await describeExecution(client, workflowId, runId))?.firstRunId ?? runId;
  if (firstRunId === runId) return false;
  const first = await describeExecution(client, workflowId, firstRunId);
  // Older than the namespace keeps histories: it was there.
  return first === null || first.startTime.getTime() <= latest;
}
