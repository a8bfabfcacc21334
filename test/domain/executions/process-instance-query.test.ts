import { describe, expect, it } from 'vitest';
import { CamundaFault } from '../../../domain/executions/camunda-fault.ts';
import {
  filterCondition,
  reachCondition,
  subInstancesIn,
} from '../../../domain/executions/process-instance-condition.ts';
import { readProcessInstanceQuery } from '../../../domain/executions/process-instance-query.ts';
import type { AttributeType } from '../../../domain/executions/variable-condition.ts';
import { renderVisibility } from '../../../domain/executions/visibility-condition.ts';

const facts = {
  types: new Map<string, AttributeType>([
    ['amount', 'INT'],
    ['city', 'KEYWORD'],
    ['tags', 'KEYWORD_LIST'],
    ['paid', 'BOOL'],
    ['due', 'DATETIME'],
  ]),
  parents: new Map([['child-1', { workflowId: 'parent-1', runId: 'run-1' }]]),
};

const translate = (query: unknown): string =>
  renderVisibility(filterCondition(readProcessInstanceQuery(query), facts)).query;

function faultOf(query: unknown): Pick<CamundaFault, 'type' | 'message' | 'code' | 'status'> {
  try {
    translate(query);
  } catch (error) {
    if (error instanceof CamundaFault)
      return { type: error.type, message: error.message, code: error.code, status: error.status };
    throw error;
  }
  throw new Error(`${JSON.stringify(query)} was accepted`);
}

describe('a process instance query', () => {
  const cases: [object, string][] = [
    [{}, ''],
    [{ processInstanceIds: ['a', 'b'] }, "(WorkflowId IN ('a', 'b') OR RunId IN ('a', 'b'))"],
    [{ businessKey: "o'neil" }, "WorkflowId = 'o''neil'"],
    [{ businessKeyLike: 'abc%' }, "WorkflowId STARTS_WITH 'abc'"],
    [{ businessKeyLike: 'a\\_b\\%%' }, "WorkflowId STARTS_WITH 'a_b%'"],
    [{ businessKeyLike: 'plain' }, "WorkflowId = 'plain'"],
    [{ processDefinitionKey: 7 }, "WorkflowType = '7'"],
    [
      { processDefinitionKeyIn: ['a', 'b'], processDefinitionKeyNotIn: ['b'] },
      "(WorkflowType IN ('a', 'b') AND WorkflowType NOT IN ('b'))",
    ],
    [{ processDefinitionId: 'order:1:queue' }, "(WorkflowType = 'order' AND TaskQueue = 'queue')"],
    [{ processDefinitionId: 'order' }, "WorkflowId = ''"],
    [{ superProcessInstance: 'p' }, "(ParentWorkflowId = 'p' OR ParentRunId = 'p')"],
    [{ subProcessInstance: 'child-1' }, "(WorkflowId = 'parent-1' AND RunId = 'run-1')"],
    [{ subProcessInstance: 'nobody' }, "WorkflowId = ''"],
    [{ rootProcessInstances: true }, 'ParentWorkflowId IS NULL'],
    [{ suspended: 'true' }, "(DroverStatus = 'suspended' OR TemporalPauseInfo IS NOT NULL)"],
    [
      { active: true },
      "((DroverStatus IS NULL OR (DroverStatus IS NOT NULL AND DroverStatus != 'suspended')) AND TemporalPauseInfo IS NULL)",
    ],
    [{ tenantIdIn: ['t1'], withoutTenantId: false }, "DroverTenant IN ('t1')"],
    [{ withoutTenantId: true }, 'DroverTenant IS NULL'],
    [{ startedBefore: '2026-11-24T11:05:17.013+0000' }, "StartTime < '2026-11-24T11:05:17.013Z'"],
    [{ startedAfter: '2026-11-24T12:05:17+01:00' }, "StartTime > '2026-11-24T11:05:17.000Z'"],
    [{ variables: [{ name: 'amount', operator: 'gteq', value: 5 }] }, 'amount >= 5'],
    [{ variables: [{ name: 'amount', operator: 'neq', value: '5' }] }, '(amount IS NOT NULL AND amount != 5)'],
    [{ variables: [{ name: 'city', operator: 'like', value: 'B%' }] }, "city STARTS_WITH 'B'"],
    [{ variables: [{ name: 'city', operator: 'eq', value: null }] }, 'city IS NULL'],
    [{ variables: [{ name: 'tags', operator: 'eq', value: 'x' }] }, 'tags IS NOT NULL'],
    [{ variables: [{ name: 'paid', operator: 'eq', value: true }] }, 'paid = true'],
    [
      { processDefinitionKey: 'a', orQueries: [{ businessKey: 'x', tenantIdIn: ['t'] }, { withoutTenantId: true }] },
      "(WorkflowType = 'a' AND (WorkflowId = 'x' OR DroverTenant IN ('t')) AND DroverTenant IS NULL)",
    ],
    [
      {
        sorting: [{ sortBy: 'instanceId', sortOrder: 'asc' }],
        withIncident: false,
        deploymentId: null,
        businessKey: null,
      },
      '',
    ],
  ];
  it.each(cases)('%j', (query, expected) => {
    expect(translate(query)).toBe(expected);
  });

  const faults: [unknown, string][] = [
    [{ processDefinitionKye: 'x' }, 'processInstanceQuery.processDefinitionKye is not a filter of process instances'],
    [{ processDefinitionKye: null }, 'processInstanceQuery.processDefinitionKye is not a filter of process instances'],
    [{ orQueries: [{ bad: 1 }] }, 'processInstanceQuery.orQueries[0].bad is not a filter of process instances'],
    [{ orQueries: [{}] }, 'processInstanceQuery.orQueries[0] has no filter: it would select everything'],
    [{ orQueries: [{ orQueries: [] }] }, 'processInstanceQuery.orQueries[0].orQueries is not allowed inside orQueries'],
    [
      { withIncident: true },
      'processInstanceQuery.withIncident cannot be translated to a query on workflow executions',
    ],
    [
      { activityIdIn: ['a'] },
      'processInstanceQuery.activityIdIn cannot be translated to a query on workflow executions',
    ],
    [
      { businessKeyLike: '%x' },
      'processInstanceQuery.businessKeyLike cannot be translated: only a pattern such as abc% can, not %x',
    ],
    [
      { businessKeyLike: 'a_c%' },
      'processInstanceQuery.businessKeyLike cannot be translated: only a pattern such as abc% can, not a_c%',
    ],
    [{ processInstanceIds: [] }, 'Set of process instance ids is empty'],
    [{ processInstanceIds: ['a', null] }, 'processInstanceQuery.processInstanceIds[1] must be a string, not null'],
    [{ tenantIdIn: [] }, 'processInstanceQuery.tenantIdIn is empty'],
    [{ active: 'yes' }, 'processInstanceQuery.active must be true or false, not "yes"'],
    [{ businessKey: {} }, 'processInstanceQuery.businessKey must be a string, not an object'],
    [
      { startedBefore: 'soon' },
      'processInstanceQuery.startedBefore is not a date such as 2026-11-24T11:05:17.013+0000: soon',
    ],
    [{ variables: {} }, 'processInstanceQuery.variables must be an array, not an object'],
    [{ variables: [{ name: 'a', operator: 'foo', value: 1 }] }, 'Invalid variable comparator specified: foo'],
    [
      { variables: [{ name: 'nope', operator: 'eq', value: 1 }] },
      'processInstanceQuery.variables[0].name: nope is not a search attribute of this namespace',
    ],
    [
      { variables: [{ name: 'amount', operator: 'eq', value: 'x' }] },
      'processInstanceQuery.variables[0].value: "x" does not fit amount, a search attribute of type INT',
    ],
    [{ sorting: [{ sortBy: 'foo', sortOrder: 'asc' }] }, "Cannot set query parameter 'sortBy' to value 'foo'"],
    [
      { sorting: [{ sortBy: 'instanceId' }] },
      'Only a single sorting parameter specified. sortBy and sortOrder required',
    ],
    [[], 'processInstanceQuery must be an object, not an array'],
  ];
  it.each(faults)('%j is refused', (query, message) => {
    expect(faultOf(query)).toEqual({ type: 'InvalidRequestException', message, code: null, status: 400 });
  });

  it('answers faults of variables as the engine does', () => {
    const nameless = { variables: [{ operator: 'eq', value: 1 }] };
    expect(faultOf(nameless)).toEqual({ type: 'NotValidException', message: 'name is null', code: 0, status: 400 });
    const ordered = { variables: [{ name: 'amount', operator: 'gt', value: null }] };
    expect(faultOf(ordered)).toMatchObject({
      message: "Booleans and null cannot be used in 'greater than' condition",
      code: 0,
    });
  });

  it('accepts no more values than a server can handle', () => {
    expect(faultOf({ processInstanceIds: Array.from({ length: 5_001 }, String) }).message).toBe(
      'processInstanceQuery.processInstanceIds has 5001 entries; it can have 5000',
    );
  });

  it('names the instances whose parents must be known', () => {
    const filter = readProcessInstanceQuery({ subProcessInstance: 'a', orQueries: [{ subProcessInstance: 'b' }] });
    expect(subInstancesIn(filter)).toEqual(['a', 'b']);
  });
});

describe('the executions that a caller can access', () => {
  it('are those of its tenant and platform, or with platform scope those of the namespace', () => {
    expect(renderVisibility(reachCondition(null)).query).toBe('');
    expect(renderVisibility(reachCondition({ platform: 'p', tenant: 't' })).query).toBe(
      "(DroverTenant = 't' AND DroverPlatform = 'p')",
    );
    expect(renderVisibility(reachCondition({ platform: 'default', tenant: 't' })).query).toBe(
      "(DroverTenant = 't' AND (DroverPlatform = 'default' OR DroverPlatform IS NULL))",
    );
  });
});
