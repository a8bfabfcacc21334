import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import { type Api, TENANT_HEADER, TOKEN_SCHEME } from '../http/define-route.ts';
import {
  BatchStatistics,
  CamundaBatch,
  CamundaCount,
  CamundaEngines,
  CamundaError,
  CamundaVersion,
  DeleteProcessInstances,
  HistoricBatch,
  HistoricProcessInstance,
  ProcessInstance,
  ProcessInstanceQuery,
  Retries,
  Suspension,
} from './schemas.ts';

const text = z.string().optional();
const flag = z.boolean().optional();
const order = z.enum(['asc', 'desc']).optional();
const date = z.string().optional();

const batchId = z.object({ batchId: z.string() });
const instanceId = z.object({ instanceId: z.string().openapi({ description: 'A workflow id or run id' }) });
const paging = { firstResult: z.number().int().optional(), maxResults: z.number().int().optional() };
const list = z.string().optional().openapi({ description: 'Separated by commas' });
const everyBatch = { batchId: text, type: text, tenantIdIn: list, withoutTenantId: flag };
const batchFilter = {
  ...everyBatch,
  suspended: flag,
  withFailures: flag,
  withoutFailures: flag,
  startedBefore: date,
  startedAfter: date,
  sortBy: z.enum(['batchId', 'tenantId']).optional(),
  sortOrder: order,
};
const historicFilter = {
  ...everyBatch,
  completed: flag,
  sortBy: z.enum(['batchId', 'startTime', 'endTime', 'tenantId']).optional(),
  sortOrder: order,
};
const instanceFilter = {
  processInstanceIds: list,
  businessKey: text,
  businessKeyLike: text,
  processDefinitionKey: text,
  processDefinitionKeyIn: list,
  processDefinitionKeyNotIn: list,
  processDefinitionId: text,
  superProcessInstance: text,
  subProcessInstance: text,
  rootProcessInstances: flag,
  leafProcessInstances: flag,
  active: flag,
  suspended: flag,
  tenantIdIn: list,
  withoutTenantId: flag,
  variables: list.openapi({ description: '`name_operator_value`, separated by commas' }),
  startedBefore: date,
  startedAfter: date,
  sortBy: text,
  sortOrder: order,
};

interface Described {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodRawShape;
  readonly body?: z.ZodType;
  /** Absent: 204, without a body. */
  readonly answer?: z.ZodType;
}

const ROUTES: readonly Described[] = [
  {
    method: 'post',
    path: '/process-instance/delete',
    operationId: 'camundaDeleteProcessInstances',
    summary: 'Delete process instances (workflow executions) in a batch',
    body: DeleteProcessInstances,
    answer: CamundaBatch,
  },
  {
    method: 'get',
    path: '/process-instance',
    operationId: 'camundaListProcessInstances',
    summary: 'Running process instances',
    query: { ...instanceFilter, ...paging },
    answer: z.array(ProcessInstance),
  },
  {
    method: 'post',
    path: '/process-instance',
    operationId: 'camundaQueryProcessInstances',
    summary: 'Running process instances, by a query in the body',
    query: paging,
    body: ProcessInstanceQuery,
    answer: z.array(ProcessInstance),
  },
  {
    method: 'get',
    path: '/process-instance/count',
    operationId: 'camundaCountProcessInstances',
    summary: 'How many process instances run',
    query: instanceFilter,
    answer: CamundaCount,
  },
  {
    method: 'post',
    path: '/process-instance/count',
    operationId: 'camundaCountQueriedProcessInstances',
    summary: 'How many process instances run, by a query in the body',
    body: ProcessInstanceQuery,
    answer: CamundaCount,
  },
  {
    method: 'get',
    path: '/process-instance/{instanceId}',
    operationId: 'camundaGetProcessInstance',
    summary: 'A running process instance',
    params: instanceId,
    answer: ProcessInstance,
  },
  {
    method: 'get',
    path: '/history/process-instance/{instanceId}',
    operationId: 'camundaGetHistoricProcessInstance',
    summary: 'A process instance, running or ended',
    params: instanceId,
    answer: HistoricProcessInstance,
  },
  {
    method: 'get',
    path: '/batch',
    operationId: 'camundaListBatches',
    summary: 'Batches that run, or have failed jobs',
    query: { ...batchFilter, ...paging },
    answer: z.array(CamundaBatch),
  },
  {
    method: 'get',
    path: '/batch/count',
    operationId: 'camundaCountBatches',
    summary: 'How many there are',
    query: batchFilter,
    answer: CamundaCount,
  },
  {
    method: 'get',
    path: '/batch/statistics',
    operationId: 'camundaListBatchStatistics',
    summary: 'Batches with the numbers of their jobs',
    query: { ...batchFilter, ...paging },
    answer: z.array(BatchStatistics),
  },
  {
    method: 'get',
    path: '/batch/statistics/count',
    operationId: 'camundaCountBatchStatistics',
    summary: 'How many there are',
    query: batchFilter,
    answer: CamundaCount,
  },
  {
    method: 'get',
    path: '/batch/{batchId}',
    operationId: 'camundaGetBatch',
    summary: 'A batch that runs, or has failed jobs',
    params: batchId,
    answer: CamundaBatch,
  },
  {
    method: 'delete',
    path: '/batch/{batchId}',
    operationId: 'camundaDeleteBatch',
    summary: 'Cancel a batch; with `cascade` its history goes too',
    params: batchId,
    query: { cascade: flag },
  },
  {
    method: 'put',
    path: '/batch/{batchId}/suspended',
    operationId: 'camundaSuspendBatch',
    summary: 'Suspend or activate a batch',
    params: batchId,
    body: Suspension,
  },
  {
    method: 'put',
    path: '/job-definition/{jobDefinitionId}/retries',
    operationId: 'camundaRetryJobs',
    summary: 'Run the failed jobs of a batch again',
    params: z.object({ jobDefinitionId: z.string().openapi({ description: '`batchJobDefinitionId` of the batch' }) }),
    body: Retries,
  },
  {
    method: 'get',
    path: '/history/batch',
    operationId: 'camundaListHistoricBatches',
    summary: 'Batches, running or ended',
    query: { ...historicFilter, ...paging },
    answer: z.array(HistoricBatch),
  },
  {
    method: 'get',
    path: '/history/batch/count',
    operationId: 'camundaCountHistoricBatches',
    summary: 'How many there are',
    query: historicFilter,
    answer: CamundaCount,
  },
  {
    method: 'get',
    path: '/history/batch/{batchId}',
    operationId: 'camundaGetHistoricBatch',
    summary: 'A batch, running or ended',
    params: batchId,
    answer: HistoricBatch,
  },
  {
    method: 'delete',
    path: '/history/batch/{batchId}',
    operationId: 'camundaDeleteHistoricBatch',
    summary: 'Remove an ended batch for good',
    params: batchId,
  },
  {
    method: 'get',
    path: '/version',
    operationId: 'camundaGetVersion',
    summary: 'Version of the engine that answers like this',
    answer: CamundaVersion,
  },
  {
    method: 'get',
    path: '/engine',
    operationId: 'camundaListEngines',
    summary: 'The one engine',
    answer: CamundaEngines,
  },
];

const ERRORS = {
  400: 'What is wrong with the request',
  401: 'No valid token',
  403: 'The token does not reach that far',
  404: 'There is no such thing, or a number in the query is none',
  406: 'The caller does not accept JSON',
  408: 'The body comes too slowly',
  413: 'The body is larger than the limit',
  415: 'The content type is not application/json',
  429: 'Too many requests at once; see Retry-After',
  500: 'A bug in Drover; the log has the reason under X-Request-Id',
  503: 'Temporal or MongoDB cannot be reached; see Retry-After',
} as const;

/** Adds the façade to the OpenAPI document. Its requests are read as an engine reads them, not by these schemas. */
export function describeCamunda(api: Api, prefix: string): void {
  const errors = Object.entries(ERRORS).map(([status, description]) => [status, json(description, CamundaError)]);
  for (const { method, path, operationId, summary, params, query, body, answer } of ROUTES) {
    const request: RouteConfig['request'] = {
      headers: z.object(TENANT_HEADER),
      ...(params && { params }),
      ...(query && { query: z.object(query) }),
      ...(body && { body: { required: true, content: { 'application/json': { schema: body } } } }),
    };
    const success = answer ? { 200: json(summary, answer) } : { 204: { description: 'Done' } };
    const responses = { ...success, ...Object.fromEntries(errors) };
    const description = `${summary}, as Camunda 7 answers \`${method.toUpperCase()} ${path}\`; docs/camunda.md says where it differs.`;
    const about = { operationId, summary, description, tags: ['Camunda'], security: [{ [TOKEN_SCHEME]: [] }] };
    api.openAPIRegistry.registerPath(createRoute({ ...about, method, path: prefix + path, request, responses }));
  }
}

const json = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
});
