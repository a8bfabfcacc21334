/** The contract of a bulk operation's workflow. */

/** Workflow type of every bulk operation. */
export const BULK_WORKFLOW_TYPE = 'bulkWorkflow';

/** That of the undo of an import: a worker that does not know it leaves it to those that do. */
export const IMPORT_UNDO_WORKFLOW_TYPE = 'importUndoWorkflow';

/** Workflow id of a bulk operation. */
export const bulkWorkflowId = (bulkId: string): string => `bulk-${bulkId}`;

export interface BulkInput {
  readonly bulkId: string;
  readonly verb: string;
  /** Time between two heartbeats of its activity at most, in seconds. */
  readonly activityTimeoutSeconds: number;
}

/** What the Temporal UI shows: numbers. */
export interface BulkProgress {
  readonly isOver: boolean;
  readonly matched: number;
  readonly done: number;
  readonly skipped: number;
  readonly failed: Readonly<Record<string, number>>;
  /** There is nothing to do for so many ms. */
  readonly waitMs?: number;
}
