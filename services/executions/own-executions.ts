import { type Condition, type ExecutionView, holds } from '../../domain/executions/visibility-condition.ts';
import { RECOVERY_WORKFLOW_TYPE, SWEEP_WORKFLOW_TYPE } from '../../workflows/messages.ts';

/** Schedules and other workflows of the server itself; visibility leaves them out by default. */
const SYSTEM_PREFIX = 'temporal-sys-';

/**
 * Excludes Drover's own machinery: the server leaves schedules out itself, and this condition excludes the runs of recovery. Batches are
 * process instances like any other.
 */
export const NOT_OWN: Condition = {
  kind: 'notIn',
  attribute: 'WorkflowType',
  values: [RECOVERY_WORKFLOW_TYPE, SWEEP_WORKFLOW_TYPE],
};

/** Whether an execution is part of the machinery: it is no process instance, and never deleted. */
export function isOwnOfDrover(execution: ExecutionView): boolean {
  return (
    execution.workflowId.startsWith(SYSTEM_PREFIX) ||
    execution.workflowType.startsWith(SYSTEM_PREFIX) ||
    execution.attributes.has('TemporalNamespaceDivision') ||
    !holds(NOT_OWN, execution)
  );
}
