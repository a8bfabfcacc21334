import { DEFAULT_PLATFORM, type Scope } from '../batch/scope.ts';
import { SEARCH_ATTRIBUTES, SUSPENDED_STATUS } from '../batch/search-attributes.ts';
import { readDefinitionId } from './process-definition-id.ts';
import type { ProcessInstanceFilter } from './process-instance-query.ts';
import { type AttributeType, variableCondition } from './variable-condition.ts';
import { and, type Condition, equals, NEVER, or } from './visibility-condition.ts';

/** Attribute that Temporal sets while an execution, or an activity of it, is paused. */
const PAUSE_INFO = 'TemporalPauseInfo';

/** Facts that have to be looked up before a filter can be translated. */
interface FilterFacts {
  /** Search attributes of the namespace that users registered. */
  readonly types: ReadonlyMap<string, AttributeType>;
  /** Parent of each execution that `subInstancesIn` names; absent if it has none. */
  readonly parents: ReadonlyMap<string, { readonly workflowId: string; readonly runId: string }>;
}

/** Executions whose parents a filter needs. */
export function subInstancesIn(filter: ProcessInstanceFilter): readonly string[] {
  return [filter.subProcessInstance ?? [], ...(filter.orQueries ?? []).map(subInstancesIn)].flat();
}

/**
 * Translates a checked filter.
 * @throws CamundaFault naming a variable that is no search attribute, or whose value has the wrong type.
 */
export function filterCondition(filter: ProcessInstanceFilter, facts: FilterFacts): Condition {
  const alternatives = (filter.orQueries ?? []).map((query) => or(...partsOf(query, facts)));
  return and(...partsOf(filter, facts), ...alternatives);
}

function partsOf(filter: ProcessInstanceFilter, facts: FilterFacts): Condition[] {
  const parts: Condition[] = [];
  const add = <T>(value: T | undefined, translate: (value: T) => Condition): void => {
    if (value !== undefined) parts.push(translate(value));
  };
  add(filter.processInstanceIds, (ids) => or(oneOf('WorkflowId', ids), oneOf('RunId', ids)));
  add(filter.businessKey, (key) => equals('WorkflowId', key));
  add(filter.businessKeyLike, ({ kind, text }) =>
    kind === 'prefix' ? { kind, attribute: 'WorkflowId', value: text } : equals('WorkflowId', text),
  );
  add(filter.processDefinitionKey, (key) => equals('WorkflowType', key));
  add(filter.processDefinitionKeyIn, (keys) => oneOf('WorkflowType', keys));
  add(filter.processDefinitionKeyNotIn, (values) => ({ kind: 'notIn', attribute: 'WorkflowType', values }));
  add(filter.processDefinitionId, definedBy);
  add(filter.superProcessInstance, (id) => or(equals('ParentWorkflowId', id), equals('ParentRunId', id)));
  add(filter.subProcessInstance, (id) => {
    const parent = facts.parents.get(id);
    return parent ? and(equals('WorkflowId', parent.workflowId), equals('RunId', parent.runId)) : NEVER;
  });
  add(filter.rootProcessInstances, () => ({ kind: 'absent', attribute: 'ParentWorkflowId' }));
  add(filter.leafProcessInstances, () => ({ kind: 'leaf' }));
  add(filter.active, () =>
    and(
      or(
        { kind: 'absent', attribute: SEARCH_ATTRIBUTES.status },
        notEquals(SEARCH_ATTRIBUTES.status, SUSPENDED_STATUS),
      ),
      { kind: 'absent', attribute: PAUSE_INFO },
    ),
  );
  add(filter.suspended, () => SUSPENDED);
  add(filter.tenantIdIn, (tenants) => oneOf(SEARCH_ATTRIBUTES.tenant, tenants));
  add(filter.withoutTenantId, () => ({ kind: 'absent', attribute: SEARCH_ATTRIBUTES.tenant }));
  add(filter.startedBefore, (date) => ({ kind: 'compare', attribute: 'StartTime', comparator: '<', value: date }));
  add(filter.startedAfter, (date) => ({ kind: 'compare', attribute: 'StartTime', comparator: '>', value: date }));
  for (const variable of filter.variables ?? []) parts.push(variableCondition(variable, facts.types));
  return parts;
}

/** A suspended batch of Drover, or an execution that is paused. */
export const SUSPENDED: Condition = or(equals(SEARCH_ATTRIBUTES.status, SUSPENDED_STATUS), {
  kind: 'present',
  attribute: PAUSE_INFO,
});

const oneOf = (attribute: string, values: readonly string[]): Condition => ({ kind: 'in', attribute, values });

const notEquals = (attribute: string, value: string): Condition => ({
  kind: 'compare',
  attribute,
  comparator: '!=',
  value,
});

/** A condition for every possible reading of a definition id. */
const definedBy = (id: string): Condition =>
  or(
    ...[...readDefinitionId(id)].map(({ workflowType, taskQueue }) =>
      and(equals('WorkflowType', workflowType), equals('TaskQueue', taskQueue)),
    ),
  );

/**
 * The executions that a caller can access: with a tenant, executions of that tenant; without one, the whole namespace (platform scope). An
 * execution that names no platform belongs to the default one.
 */
export function reachCondition(reach: Scope | null): Condition {
  if (reach === null) return and();
  const platform = equals(SEARCH_ATTRIBUTES.platform, reach.platform);
  return and(
    equals(SEARCH_ATTRIBUTES.tenant, reach.tenant),
    reach.platform === DEFAULT_PLATFORM
      ? or(platform, { kind: 'absent', attribute: SEARCH_ATTRIBUTES.platform })
      : platform,
  );
}

/**
 * Running or paused: an execution is alive until it has a close time, in whatever state it is. A listed execution may have ended since.
 */
export const OPEN: Condition = { kind: 'absent', attribute: 'CloseTime' };
