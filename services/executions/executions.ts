import type { Client } from '@temporalio/client';
import proto, { type temporal } from '@temporalio/proto';
import type { AttributeType } from '../../domain/executions/variable-condition.ts';
import type { AttributeValue, ExecutionView } from '../../domain/executions/visibility-condition.ts';

/**
 * Workflow executions as Temporal's API returns them, read raw: memos and inputs of other programs' workflows may be in an
 * encoding that only those programs can read, so only names, times and search attributes are decoded.
 */

type ExecutionInfo = temporal.api.workflow.v1.IWorkflowExecutionInfo;
type ExecutionReference = temporal.api.common.v1.IWorkflowExecution;

const { WorkflowExecutionStatus, IndexedValueType, ParentClosePolicy } = proto.temporal.api.enums.v1;

/** gRPC status codes of an execution that does not exist: no such id, or an invalid id. */
export const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

/** One execution, described: unlike visibility, this is up to date. */
export interface DescribedExecution extends ExecutionView {
  /** First run of the chain that retries, cron and continue-as-new make. */
  readonly firstRunId: string;
  readonly cancelRequested: boolean;
  /** Running children, as the execution itself knows them. */
  readonly children: readonly ChildExecution[];
}

interface ChildExecution {
  readonly workflowId: string;
  readonly runId: string;
  /** `TERMINATE`, `REQUEST_CANCEL` or `ABANDON`: what happens to it when its parent ends. */
  readonly parentClosePolicy: string;
}

/** Describes a run, or without `runId` the latest one; null if there is none. */
export async function describeExecution(
  client: Client,
  workflowId: string,
  runId?: string,
): Promise<DescribedExecution | null> {
  const execution = { workflowId, ...(runId !== undefined && { runId }) };
  try {
    const { namespace } = client.options;
    const description = await client.workflowService.describeWorkflowExecution({ namespace, execution });
    const info = description.workflowExecutionInfo ?? {};
    const view = toView(info);
    const children = (description.pendingChildren ?? []).flatMap(toChild);
    return {
      ...view,
      isLeaf: children.length === 0,
      firstRunId: info.firstRunId || view.runId,
      cancelRequested: description.workflowExtendedInfo?.cancelRequested ?? false,
      children,
    };
  } catch (error) {
    if (hasStatus(error, NOT_FOUND, INVALID_ARGUMENT)) return null;
    throw error;
  }
}

function toChild(child: temporal.api.workflow.v1.IPendingChildExecutionInfo): ChildExecution[] {
  const { workflowId, runId, parentClosePolicy } = child;
  // Without a run the child was requested and has not begun.
  if (!workflowId || !runId) return [];
  const policy = (ParentClosePolicy[parentClosePolicy ?? 0] ?? '').replace('PARENT_CLOSE_POLICY_', '');
  return [{ workflowId, runId, parentClosePolicy: policy }];
}

/** Whether a call failed with one of these gRPC status codes. */
export function hasStatus(error: unknown, ...codes: number[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && codes.includes(error.code);
}

/** Whether an id has the form of a run id. */
export const isRunId = (id: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);

/** The properties of one execution from visibility or a description. */
export function toView(info: ExecutionInfo): ExecutionView {
  return {
    ...toReference(info.execution),
    workflowType: info.type?.name ?? '',
    taskQueue: info.taskQueue ?? '',
    parent: info.parentExecution?.workflowId ? toReference(info.parentExecution) : null,
    root: info.rootExecution?.workflowId ? toReference(info.rootExecution) : null,
    startTime: toDate(info.startTime) ?? new Date(0),
    closeTime: toDate(info.closeTime),
    status: (WorkflowExecutionStatus[info.status ?? 0] ?? '').replace('WORKFLOW_EXECUTION_STATUS_', ''),
    attributes: toAttributes(info.searchAttributes?.indexedFields ?? {}),
    isLeaf: null,
  };
}

const toReference = (execution: ExecutionReference | null | undefined): { workflowId: string; runId: string } => ({
  workflowId: execution?.workflowId ?? '',
  runId: execution?.runId ?? '',
});

/** A time of Temporal, truncated to milliseconds. */
function toDate(time: { seconds?: unknown; nanos?: number | null } | null | undefined): Date | null {
  return time ? new Date(Number(time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1_000_000)) : null;
}

function toAttributes(fields: Record<string, temporal.api.common.v1.IPayload>): Map<string, AttributeValue[]> {
  return new Map(
    Object.entries(fields).flatMap(([name, payload]): [string, AttributeValue[]][] => {
      const values = toValues(payload);
      return values.length === 0 ? [] : [[name, values]];
    }),
  );
}

function toValues({ data, metadata }: temporal.api.common.v1.IPayload): AttributeValue[] {
  if (!data || data.length === 0) return [];
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8');
  const value: unknown = JSON.parse(text(data));
  const isDate = text(metadata?.type).toLowerCase() === 'datetime';
  return (Array.isArray(value) ? value : [value]).flatMap((entry: unknown): AttributeValue[] => {
    if (typeof entry === 'string') return [isDate ? new Date(entry) : entry];
    return typeof entry === 'number' || typeof entry === 'boolean' ? [entry] : [];
  });
}

/** Search attributes that users registered in the namespace, with their types. */
export async function readAttributeTypes(client: Client): Promise<Map<string, AttributeType>> {
  const { namespace } = client.options;
  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
  return new Map(
    Object.entries(customAttributes ?? {}).flatMap(([name, type]): [string, AttributeType][] => {
      const known = toAttributeType(IndexedValueType[type]);
      return known ? [[name, known]] : [];
    }),
  );
}

const ATTRIBUTE_TYPES: readonly AttributeType[] = [
  'KEYWORD',
  'KEYWORD_LIST',
  'TEXT',
  'INT',
  'DOUBLE',
  'BOOL',
  'DATETIME',
];

const toAttributeType = (name: string | undefined): AttributeType | undefined =>
  ATTRIBUTE_TYPES.find((type) => name === `INDEXED_VALUE_TYPE_${type}`);
