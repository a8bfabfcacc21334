import { SEARCH_ATTRIBUTES } from '../../domain/batch/search-attributes.ts';
import { type JobCounts, totalJobs } from '../../domain/executions/job-counts.ts';
import { definitionId } from '../../domain/executions/process-definition-id.ts';
import { SUSPENDED } from '../../domain/executions/process-instance-condition.ts';
import { type ExecutionView, holds } from '../../domain/executions/visibility-condition.ts';
import type { ExternalEnd } from '../../services/executions/execution-history.ts';
import type { DescribedExecution } from '../../services/executions/executions.ts';
import { isLive, type Termination } from '../../store/batches/terminations.ts';

/** JSON as a Camunda 7.22 engine writes it: every field, in its order. */

/** `2026-11-24T11:05:17.013+0000` */
const toCamundaDate = (date: Date): string => date.toISOString().replace('Z', '+0000');

const dateOrNull = (date: Date | null | undefined): string | null => (date ? toCamundaDate(date) : null);

export function toProcessInstance(execution: ExecutionView) {
  return {
    links: [],
    id: execution.workflowId,
    definitionId: definitionId(execution.workflowType, execution.taskQueue),
    businessKey: execution.workflowId,
    caseInstanceId: null,
    ended: false,
    suspended: holds(SUSPENDED, execution),
    tenantId: tenantOf(execution),
  };
}

/**
 * @param end how it was ended from outside, if it was.
 * @param retentionMs how long the namespace keeps closed executions.
 */
export function toHistoricProcessInstance(
  execution: DescribedExecution,
  end: ExternalEnd | null,
  retentionMs: number | null,
) {
  const { workflowId, workflowType, taskQueue, startTime, closeTime, parent, root } = execution;
  const removal = closeTime && retentionMs !== null ? new Date(closeTime.getTime() + retentionMs) : null;
  return {
    id: workflowId,
    businessKey: workflowId,
    processDefinitionId: definitionId(workflowType, taskQueue),
    processDefinitionKey: workflowType,
    processDefinitionName: workflowType,
    processDefinitionVersion: 1,
    startTime: toCamundaDate(startTime),
    endTime: dateOrNull(closeTime),
    removalTime: dateOrNull(removal),
    durationInMillis: closeTime ? closeTime.getTime() - startTime.getTime() : null,
    startUserId: null,
    startActivityId: null,
    deleteReason: end?.reason ?? null,
    rootProcessInstanceId: root?.workflowId ?? workflowId,
    superProcessInstanceId: parent?.workflowId ?? null,
    superCaseInstanceId: null,
    caseInstanceId: null,
    tenantId: tenantOf(execution),
    state: stateOf(execution, end),
    restartedProcessInstanceId: null,
  };
}

function stateOf(execution: DescribedExecution, end: ExternalEnd | null): string {
  if (execution.closeTime === null) return holds(SUSPENDED, execution) ? 'SUSPENDED' : 'ACTIVE';
  if (end !== null) return 'EXTERNALLY_TERMINATED';
  return execution.status === 'FAILED' || execution.status === 'TIMED_OUT' ? 'INTERNALLY_TERMINATED' : 'COMPLETED';
}

function tenantOf(execution: ExecutionView): string | null {
  const [tenant] = execution.attributes.get(SEARCH_ATTRIBUTES.tenant) ?? [];
  return tenant === undefined ? null : String(tenant);
}

/** Job definitions of a batch: its seed, its monitor, and its jobs. */
type JobKind = 'seed' | 'monitor' | 'batch';
const JOB_KINDS: readonly JobKind[] = ['seed', 'monitor', 'batch'];

/** A batch id and its job definitions differ in the last hex digit, so each can be computed from the other. */
const shift = (id: string, by: number): string =>
  id.slice(0, -1) + (Number.parseInt(id.slice(-1), 16) ^ by).toString(16);

const jobDefinitionId = (batchId: string, kind: JobKind): string => shift(batchId, JOB_KINDS.indexOf(kind) + 1);

/** The batch whose jobs have this definition; null for an id that cannot be one. */
export function batchOfJobs(id: string): string | null {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? shift(id, JOB_KINDS.length) : null;
}

function firstFields(batch: Termination) {
  const { options } = batch;
  return { id: batch._id, type: 'instance-deletion', totalJobs: totalJobs(batch), options };
}

function definitions(batchId: string) {
  return {
    seedJobDefinitionId: jobDefinitionId(batchId, 'seed'),
    monitorJobDefinitionId: jobDefinitionId(batchId, 'monitor'),
    batchJobDefinitionId: jobDefinitionId(batchId, 'batch'),
  };
}

const tenantOfBatch = ({ options, tenant }: Termination): string | null => (options.reach === 'tenant' ? tenant : null);

/** @param jobs for `executionStartTime`, which is null until a job has succeeded; null if none can have. */
export function toBatch(batch: Termination, jobs: JobCounts | null) {
  const { options, ...first } = firstFields(batch);
  return {
    ...first,
    jobsCreated: batch.jobsCreated ?? 0,
    batchJobsPerSeed: options.batchJobsPerSeed,
    invocationsPerBatchJob: options.invocationsPerBatchJob,
    ...definitions(batch._id),
    suspended: batch.suspended,
    tenantId: tenantOfBatch(batch),
    createUserId: null,
    startTime: toCamundaDate(batch.createdAt),
    executionStartTime: executionStart(batch, jobs),
  };
}

export function toBatchStatistics(batch: Termination, jobs: JobCounts) {
  const { completed, failed } = jobs;
  return {
    ...toBatch(batch, jobs),
    remainingJobs: totalJobs(batch) - completed,
    completedJobs: completed,
    failedJobs: failed,
  };
}

export function toHistoricBatch(batch: Termination, jobs: JobCounts) {
  const { options, ...first } = firstFields(batch);
  return {
    ...first,
    batchJobsPerSeed: options.batchJobsPerSeed,
    invocationsPerBatchJob: options.invocationsPerBatchJob,
    ...definitions(batch._id),
    tenantId: tenantOfBatch(batch),
    createUserId: null,
    startTime: toCamundaDate(batch.createdAt),
    endTime: isLive(batch) ? null : dateOrNull(batch.dismissedAt ?? batch.completedAt),
    removalTime: null,
    executionStartTime: executionStart(batch, jobs),
  };
}

function executionStart(batch: Termination, jobs: JobCounts | null): string | null {
  return jobs !== null && jobs.completed > 0 ? dateOrNull(batch.startedAt) : null;
}
