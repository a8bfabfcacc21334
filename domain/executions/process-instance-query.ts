import {
  describe,
  type Reader,
  readArray,
  readDate,
  readFlag,
  readObject,
  readText,
  readTexts,
} from '../json/reading.ts';
import {
  MAX_FACADE_CONDITIONS,
  MAX_FACADE_LOOKUPS,
  MAX_FACADE_OR_QUERIES,
  MAX_FACADE_READINGS,
  MAX_FACADE_SORTINGS,
  MAX_FACADE_VALUES,
} from '../limits.ts';
import { invalidRequest } from './camunda-fault.ts';
import { readingsOf } from './process-definition-id.ts';
import { readPattern, readVariable, type TextPattern, type VariableCondition } from './variable-condition.ts';

/**
 * A checked process instance query. Filters are combined with AND, those inside an entry of `orQueries` with OR. Flags are
 * only ever true: false has the same meaning as absence, as in the engine.
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
  /** An extension: the engine has it only on historic instances. */
  readonly startedBefore?: Date;
  readonly startedAfter?: Date;
  readonly orQueries?: readonly ProcessInstanceFilter[];
}

type FilterName = keyof ProcessInstanceFilter;

const readOneText: Reader<string> = (value, path) => readText(value, path);

const READERS: { readonly [K in FilterName]-?: Reader<NonNullable<ProcessInstanceFilter[K]>> } = {
  processInstanceIds: (value, path) => {
    if (Array.isArray(value) && value.length === 0) throw invalidRequest('Set of process instance ids is empty');
    return readTexts(value, path);
  },
  businessKey: readOneText,
  businessKeyLike: readPattern,
  processDefinitionKey: readOneText,
  processDefinitionKeyIn: readTexts,
  processDefinitionKeyNotIn: readTexts,
  processDefinitionId: readOneText,
  superProcessInstance: readOneText,
  subProcessInstance: readOneText,
  rootProcessInstances: readFlag,
  leafProcessInstances: readFlag,
  active: readFlag,
  suspended: readFlag,
  tenantIdIn: readTexts,
  withoutTenantId: readFlag,
  variables: (value, path) => readArray(value, path, MAX_FACADE_CONDITIONS, readVariable),
  startedBefore: readDate,
  startedAfter: readDate,
  orQueries: (value, path) => readArray(value, path, MAX_FACADE_OR_QUERIES, readOrQuery),
};

/** Filters of the engine that have no meaning for workflow executions. Unset (null or false) they are allowed, because clients send them. */
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

/** The sort keys; sorting is accepted, but a list is in the order of visibility. */
const SORT_KEYS = new Set(['instanceId', 'definitionKey', 'definitionId', 'tenantId', 'businessKey']);

/**
 * Checks a `processInstanceQuery`. A filter that is null is absent.
 * @throws CamundaFault naming the filter that is unknown (a misspelt filter must never select everything), cannot be
 *   translated or has a wrong value.
 */
export function readProcessInstanceQuery(value: unknown, path = 'processInstanceQuery'): ProcessInstanceFilter {
  const filter = readFilters(readObject(value, path), path);
  checkSize([filter, ...(filter.orQueries ?? [])], path);
  return filter;
}

/** The sums of values and conditions over all filters: see `limits.ts` for the reason of each limit. */
function checkSize(filters: readonly ProcessInstanceFilter[], path: string): void {
  const where = path === '' ? 'the query' : path;
  const count = (of: (filter: ProcessInstanceFilter) => number): number =>
    filters.reduce((sum, filter) => sum + of(filter), 0);
  const values = count((filter) => LISTS.reduce((sum, list) => sum + (filter[list]?.length ?? 0), 0));
  if (values > MAX_FACADE_VALUES)
    throw invalidRequest(`${where} has ${values} values; it can have ${MAX_FACADE_VALUES}`);
  const readings = count(({ processDefinitionId: id }) => (id === undefined ? 0 : readingsOf(id)));
  if (readings > MAX_FACADE_READINGS)
    throw invalidRequest(`${where}.processDefinitionId can be read in more than ${MAX_FACADE_READINGS} ways`);
  const lookups = count(({ subProcessInstance }) => (subProcessInstance === undefined ? 0 : 1));
  if (lookups > MAX_FACADE_LOOKUPS)
    throw invalidRequest(`${where} asks for ${lookups} subProcessInstances; it can for ${MAX_FACADE_LOOKUPS}`);
}

/** Filters that are lists of values. */
const LISTS = ['processInstanceIds', 'processDefinitionKeyIn', 'processDefinitionKeyNotIn', 'tenantIdIn'] as const;

function readFilters(query: Readonly<Record<string, unknown>>, path: string): ProcessInstanceFilter {
  const filters = Object.entries(query).flatMap(([name, value]) => {
    const filter = readFilter(name, value, path === '' ? name : `${path}.${name}`);
    return filter === null ? [] : [[name, filter]];
  });
  return Object.fromEntries(filters);
}

/** @returns null if the filter is not set. */
function readFilter(name: string, value: unknown, path: string): NonNullable<ProcessInstanceFilter[FilterName]> | null {
  if (name === 'sorting') {
    if (value !== null) readArray(value, path, MAX_FACADE_SORTINGS, readSorting);
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
  if (sortBy !== null && !(typeof sortBy === 'string' && keys.has(sortBy))) {
    throw invalidRequest(`Cannot set query parameter 'sortBy' to value '${asText(sortBy)}'`);
  }
  if (sortOrder !== null && sortOrder !== 'asc' && sortOrder !== 'desc') {
    throw invalidRequest(`Cannot set query parameter 'sortOrder' to value '${asText(sortOrder)}'`);
  }
  if (sortBy === null || sortOrder === null) {
    throw invalidRequest('Only a single sorting parameter specified. sortBy and sortOrder required');
  }
}

/** A value in a message: nested values are not written out, because they may have any depth. */
const asText = (value: unknown): string => (typeof value === 'object' ? describe(value) : String(value));
