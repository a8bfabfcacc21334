import type { Client } from '@temporalio/client';
import { filterCondition, RUNNING, reachCondition, subInstancesIn } from '../domain/process-instance-condition.ts';
import type { ProcessInstanceFilter } from '../domain/process-instance-query.ts';
import type { Scope } from '../domain/scope.ts';
import { and, type Condition, holds } from '../domain/visibility-condition.ts';
import { type DescribedExecution, readAttributeTypes } from './executions.ts';
import { findExecution } from './list-executions.ts';
import { isOwnOfDrover, NOT_OWN } from './own-executions.ts';

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
  return and(RUNNING, NOT_OWN, reachCondition(reach), filterCondition(filter, { types, parents }));
}

function asksForVariables(filter: ProcessInstanceFilter): boolean {
  return filter.variables !== undefined || (filter.orQueries ?? []).some(asksForVariables);
}

/** An execution, by workflow id or run id, that is a process instance the caller may reach; whether it runs or not. */
export async function findReachable(client: Client, reach: Reach, id: string): Promise<DescribedExecution | null> {
  const found = await findExecution(client, id);
  return found && !isOwnOfDrover(found) && holds(reachCondition(reach), found) ? found : null;
}
