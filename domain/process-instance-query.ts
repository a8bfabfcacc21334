import { invalidRequest } from './camunda-fault.ts';
import { type Reader, readArray, readDate, readFlag, readObject, readText, readTexts } from './json-reading.ts';
import { readPattern, readVariable, type TextPattern, type VariableCondition } from './variable-condition.ts';

/**
 * A checked process instance query. Filters are combined with AND, those inside an entry of `orQueries` with OR. Flags are
 * only ever true: false means what absence means, as in the engine.
 */
export interface ProcessInstanceFilter {
  /** Workflow ids or run ids. */
  readonly processInstanceIds?: readonly string[];
  readonly businessKey?: string;
  readonly businessKeyLike?: TextPattern;
  readonly processDefinitionKey?: string;
  readonly processDefinitionKeyIn?: readonly string[];
  readonly processDefinitionKeyNotIn?: readonly string[];
  readonly processDefinitionId?: string;
  readonly superProcessInstance?: string;
  readonly subProcessInstance?: string;
  readonly rootProcessInstances?: boolean;
  readonly leafProcessInstances?: boolean;
  readonly active?: boolean;
  readonly suspended?: boolean;
  readonly tenantIdIn?: readonly string[];
  readonly withoutTenantId?: boolean;
  readonly variables?: readonly VariableCondition[];
  /** Ours: the engine only has it on historic instances. */
  readonly startedBefore?: Date;
  readonly startedAfter?: Date;
  readonly orQueries?: readonly ProcessInstanceFilter[];
}

type FilterName = keyof ProcessInstanceFilter;

const READERS: { readonly [K in FilterName]-?: Reader<NonNullable<ProcessInstanceFilter[K]>> } = {
  processInstanceIds: (value, path) => {
    if (Array.isArray(value) && value.length === 0) throw invalidRequest('Set of process instance ids is empty');
    return readTexts(value, path);
  },
  businessKey: readText,
  businessKeyLike: readPattern,
  processDefinitionKey: readText,
  processDefinitionKeyIn: readTexts,
  processDefinitionKeyNotIn: readTexts,
  processDefinitionId: readText,
  superProcessInstance: readText,
  subProcessInstance: readText,
  rootProcessInstances: readFlag,
  leafProcessInstances: readFlag,
  active: readFlag,
  suspended: readFlag,
  tenantIdIn: readTexts,
  withoutTenantId: readFlag,
  variables: (value, path) => readArray(value, path, readVariable),
  startedBefore: readDate,
  startedAfter: readDate,
  orQueries: (value, path) => readArray(value, path, readOrQuery),
};

export const FILTER_NAMES = Object.keys(READERS) as readonly FilterName[];

/** Filters of the engine that say nothing about workflow executions. Unset (null or false) they are allowed, as clients send them. */
const UNTRANSLATABLE = new Set([
  'activityIdIn',
  'caseInstanceId',
  'deploymentId',
  'incidentId',
  'incidentMessage',
  'incidentMessageLike',
  'incidentType',
  'processDefinitionWithoutTenantId',
  'subCaseInstance',
  'superCaseInstance',
  'variableNamesIgnoreCase',
  'variableValuesIgnoreCase',
  'withIncident',
]);

/** What can be sorted by; the order is accepted, but a list comes in the order that visibility has. */
const SORT_KEYS = new Set(['instanceId', 'definitionKey', 'definitionId', 'tenantId', 'businessKey']);

/**
 * Checks a `processInstanceQuery`. A filter that is null is absent.
 * @throws CamundaFault naming the filter that is unknown (a misspelt filter must never select everything), cannot be
 *   translated or has a wrong value.
 */
export function readProcessInstanceQuery(value: unknown, path = 'processInstanceQuery'): ProcessInstanceFilter {
  return readFilters(readObject(value, path), path);
}

function readFilters(query: Readonly<Record<string, unknown>>, path: string): ProcessInstanceFilter {
  const filters = Object.entries(query).flatMap(([name, value]) => {
    const filter = readFilter(name, value, path === '' ? name : `${path}.${name}`);
    return filter === null ? [] : [[name, filter]];
  });
  return Object.fromEntries(filters);
}

/** @returns null where the filter is not set. */
function readFilter(name: string, value: unknown, path: string): NonNullable<ProcessInstanceFilter[FilterName]> | null {
  if (name === 'sorting') {
    if (value !== null) readArray(value, path, readSorting);
    return null;
  }
  if (isFilterName(name)) {
    if (value === null) return null;
    const filter = READERS[name](value, path);
    return filter === false ? null : filter;
  }
  if (!UNTRANSLATABLE.has(name)) throw invalidRequest(`${path} is not a filter of process instances`);
  if (value === null || value === false) return null;
  throw invalidRequest(`${path} cannot be translated to a query on workflow executions`);
}

const isFilterName = (name: string): name is FilterName => Object.hasOwn(READERS, name);

function readOrQuery(value: unknown, path: string): ProcessInstanceFilter {
  const query = readObject(value, path);
  for (const name of ['orQueries', 'sorting']) {
    if (query[name] !== undefined && query[name] !== null)
      throw invalidRequest(`${path}.${name} is not allowed inside orQueries`);
  }
  const filter = readFilters(query, path);
  if (Object.keys(filter).length === 0) throw invalidRequest(`${path} has no filter: it would select everything`);
  return filter;
}

function readSorting(value: unknown, path: string): void {
  const { sortBy, sortOrder } = readObject(value, path);
  checkSorting(sortBy ?? null, sortOrder ?? null);
}

/**
 * Checks a sorting, of a body or of query parameters (null: absent).
 * @throws CamundaFault in the engine's words.
 */
export function checkSorting(sortBy: unknown, sortOrder: unknown, keys: ReadonlySet<string> = SORT_KEYS): void {
  if (sortBy === null && sortOrder === null) return;
  if (sortBy !== null && !keys.has(String(sortBy))) {
    throw invalidRequest(`Cannot set query parameter 'sortBy' to value '${String(sortBy)}'`);
  }
  if (sortOrder !== null && sortOrder !== 'asc' && sortOrder !== 'desc') {
    throw invalidRequest(`Cannot set query parameter 'sortOrder' to value '${String(sortOrder)}'`);
  }
  if (sortBy === null || sortOrder === null) {
    throw invalidRequest('Only a single sorting parameter specified. sortBy and sortOrder required');
  }
}
