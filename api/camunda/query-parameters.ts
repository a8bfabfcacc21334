import { invalidRequest } from '../../domain/executions/camunda-fault.ts';
import type { ApiContext } from '../http/context.ts';
import { readBooleanParameter } from './requests.ts';

/** Parameters that are no filters. */
const OTHERS = new Set(['sortBy', 'sortOrder', 'firstResult', 'maxResults']);
const LISTS = new Set([
  'processInstanceIds',
  'processDefinitionKeyIn',
  'processDefinitionKeyNotIn',
  'tenantIdIn',
  'activityIdIn',
]);
const FLAGS = new Set([
  'active',
  'suspended',
  'withIncident',
  'withoutTenantId',
  'processDefinitionWithoutTenantId',
  'rootProcessInstances',
  'leafProcessInstances',
  'variableNamesIgnoreCase',
  'variableValuesIgnoreCase',
]);

/** The query parameters of `GET /process-instance` in the form of the body of a `POST`; their meaning is checked there. */
export function queryFromParameters(c: ApiContext): Record<string, unknown> {
  const query = Object.entries(c.req.queries()).filter(([name]) => !OTHERS.has(name));
  return Object.fromEntries(
    query.map(([name, values]) => {
      const [value = ''] = values;
      if (FLAGS.has(name)) return [name, readBooleanParameter(c, name)];
      // the values of a repeated list parameter are combined
      if (LISTS.has(name)) return [name, values.flatMap((list) => list.split(','))];
      return [name, name === 'variables' ? values.flatMap((list) => list.split(',')).map(readVariable) : value];
    }),
  );
}

/** `name_operator_value`; the first operator between underscores counts. */
function readVariable(text: string): { name: string; operator: string; value: string } {
  const parts = /^(.+?)_(eq|neq|gt|gteq|lt|lteq|like)_(.*)$/s.exec(text);
  if (parts) return { name: parts[1] ?? '', operator: parts[2] ?? '', value: parts[3] ?? '' };
  const [name, operator, value] = text.split('_');
  if (name && operator && value !== undefined)
    throw invalidRequest(`Invalid variable comparator specified: ${operator}`);
  throw invalidRequest(`variables: ${text} is not of the form name_operator_value`);
}
