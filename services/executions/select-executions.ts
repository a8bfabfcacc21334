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
import { parts } from '../../store/mongodb/parts.ts';
import { type DescribedExecution, describeExecution, readAttributeTypes } from './executions.ts';
import { findExecution, listExecutions } from './list-executions.ts';
import { isOwnOfDrover, NOT_OWN } from './own-executions.ts';

/** Largest difference between the clocks of this machine and of Temporal, in ms. */
export const CLOCK_SKEW_MS = 1_000;

/** How long visibility may show a run that has ended beside the next one of its chain, in ms. */
const VISIBILITY_LAG_MS = 60_000;

/** Executions that are checked side by side. */
const LOOKED_AT_ONCE = 20;

/** The executions that a caller can access: those of a tenant, or with null all of the namespace. */
export type Reach = Scope | null;

/**
 * The running executions that a process instance query selects among those that the caller can access.
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

/** An execution, by workflow id or run id, that is a process instance and that the caller can access, whether or not it runs. */
export async function findReachable(client: Client, reach: Reach, id: string): Promise<DescribedExecution | null> {
  const found = await findExecution(client, id);
  return found && !isOwnOfDrover(found) && holds(reachCondition(reach), found) ? found : null;
}

/**
 * The running executions for which a condition holds and that existed at a given time, each once, a page at a time. Pages may be
 * empty.
 *
 * Paging skips none of them. Visibility lists the latest start first, and a page continues after the last entry of the page
 * before: a position in that order, which does not move when other executions end or start. Only a chain of runs moves, from a later page
 * to an earlier one, when it continues in its next run meanwhile (continue-as-new, retry, cron). So after a list of
 * several pages, the executions that have started since are listed too, until they are one page or none is new.
 *
 * In the same way two runs of a chain may be listed, the later one first. Only an execution that has started lately can be a later run, so
 * memory grows with the starts of a minute, not with the number of selected executions.
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
  for (const some of parts(executions, LOOKED_AT_ONCE)) {
    const were = await Promise.all(some.map((execution) => wasThere(client, execution, at)));
    there.push(...some.filter((_, n) => were[n]));
  }
  return there;
}

/** Whether an execution existed at a given time, possibly as an earlier run of its chain. */
export async function wasThere(client: Client, execution: ExecutionView, at: Date): Promise<boolean> {
  const latest = at.getTime() + CLOCK_SKEW_MS;
  if (execution.startTime.getTime() <= latest) return true;
  const { workflowId, runId } = execution;
  const firstRunId = (await describeExecution(client, workflowId, runId))?.firstRunId ?? runId;
  if (firstRunId === runId) return false;
  const first = await describeExecution(client, workflowId, firstRunId);
  // Older than the namespace keeps histories: it existed.
  return first === null || first.startTime.getTime() <= latest;
}
