import { z } from '@hono/zod-openapi';

/** Shapes of the façade's requests and answers (docs/camunda.md), for the OpenAPI document. Requests are read by the domain. */
const count = z.number().int().min(0);
const flag = z.boolean();
const text = z.string();
/** In the engine's format, `2026-11-24T11:05:17.013+0000`. */
const date = z.string().openapi({ description: 'As the engine writes dates: 2026-11-24T11:05:17.013+0000' });

export const CamundaError = z
  .object({ type: text, message: text, code: z.number().int().nullable() })
  .openapi('CamundaError');
export const CamundaCount = z.object({ count }).openapi('CamundaCount');
export const CamundaVersion = z.object({ version: text }).openapi('CamundaVersion');
export const CamundaEngines = z.array(z.object({ name: text })).openapi('CamundaEngines');

const Variable = z
  .object({
    name: text,
    operator: z.enum(['eq', 'neq', 'gt', 'gteq', 'lt', 'lteq', 'like']),
    value: z.union([text, z.number(), flag, z.null()]),
  })
  .openapi('CamundaVariable');
const filters = {
  processInstanceIds: z.array(text).openapi({ description: 'Workflow ids or run ids' }),
  businessKey: text.openapi({ description: 'A workflow id' }),
  businessKeyLike: text.openapi({ description: 'A pattern with % and _' }),
  processDefinitionKey: text.openapi({ description: 'A workflow type' }),
  processDefinitionKeyIn: z.array(text),
  processDefinitionKeyNotIn: z.array(text),
  processDefinitionId: text,
  superProcessInstance: text,
  subProcessInstance: text,
  rootProcessInstances: flag,
  leafProcessInstances: flag,
  active: flag,
  suspended: flag,
  tenantIdIn: z.array(text),
  withoutTenantId: flag,
  variables: z.array(Variable).openapi({ description: 'Search attributes' }),
  startedBefore: date,
  startedAfter: date,
};
const Sorting = z.object({
  sortBy: z.enum(['instanceId', 'definitionKey', 'definitionId', 'tenantId', 'businessKey']),
  sortOrder: z.enum(['asc', 'desc']),
});
export const ProcessInstanceQuery = z
  .object({ ...filters, orQueries: z.array(z.object(filters).partial()), sorting: z.array(Sorting) })
  .partial()
  .openapi('CamundaProcessInstanceQuery');
export const DeleteProcessInstances = z
  .object({
    processInstanceIds: z.array(text).optional().openapi({ description: 'Workflow ids or run ids' }),
    processInstanceQuery: ProcessInstanceQuery.optional(),
    deleteReason: text.optional(),
    skipCustomListeners: flag.optional().openapi({ default: false }),
    skipSubprocesses: flag.optional().openapi({ default: false }),
    failIfNotExists: flag.optional().openapi({ default: true }),
  })
  .openapi('CamundaDeleteProcessInstances');
export const Suspension = z.object({ suspended: flag }).openapi('CamundaSuspension');
export const Retries = z.object({ retries: count }).openapi('CamundaRetries');

export const ProcessInstance = z
  .object({
    links: z.array(text).max(0),
    id: text.openapi({ description: 'A workflow id' }),
    definitionId: text,
    businessKey: text,
    caseInstanceId: z.null(),
    ended: flag,
    suspended: flag,
    tenantId: text.nullable(),
  })
  .openapi('CamundaProcessInstance');
export const HistoricProcessInstance = z
  .object({
    id: text,
    businessKey: text,
    processDefinitionId: text,
    processDefinitionKey: text,
    processDefinitionName: text,
    processDefinitionVersion: count,
    startTime: date,
    endTime: date.nullable(),
    removalTime: date.nullable(),
    durationInMillis: z.number().nullable(),
    startUserId: z.null(),
    startActivityId: z.null(),
    deleteReason: text.nullable(),
    rootProcessInstanceId: text,
    superProcessInstanceId: text.nullable(),
    superCaseInstanceId: z.null(),
    caseInstanceId: z.null(),
    tenantId: text.nullable(),
    state: z.enum(['ACTIVE', 'SUSPENDED', 'COMPLETED', 'EXTERNALLY_TERMINATED', 'INTERNALLY_TERMINATED']),
    restartedProcessInstanceId: z.null(),
  })
  .openapi('CamundaHistoricProcessInstance');

const everyBatch = {
  id: text,
  type: z.literal('instance-deletion'),
  totalJobs: count,
  batchJobsPerSeed: count,
  invocationsPerBatchJob: count,
  seedJobDefinitionId: text,
  monitorJobDefinitionId: text,
  batchJobDefinitionId: text,
  tenantId: text.nullable(),
  createUserId: z.null(),
  startTime: date,
  executionStartTime: date.nullable(),
};
const runtimeBatch = { ...everyBatch, jobsCreated: count, suspended: flag };
export const CamundaBatch = z.object(runtimeBatch).openapi('CamundaBatch');
export const BatchStatistics = z
  .object({ ...runtimeBatch, remainingJobs: count, completedJobs: count, failedJobs: count })
  .openapi('CamundaBatchStatistics');
export const HistoricBatch = z
  .object({ ...everyBatch, endTime: date.nullable(), removalTime: z.null() })
  .openapi('CamundaHistoricBatch');
