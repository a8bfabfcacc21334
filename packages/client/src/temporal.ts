/**
 * For programs that talk to Temporal: the ids of workflows, and their signals and queries, typed
 * (docs/signals-and-queries.md). Needs `@temporalio/workflow` beside this package.
 */

export { IMPORT_WORKFLOW_TYPE, importStatusQuery, importWorkflowId } from '../../../workflows/imports/messages.ts';
export {
  type AvailableResource,
  BATCH_WORKFLOW_TYPE,
  batchWorkflowId,
  cancelSignal,
  dependenciesAvailableSignal,
  type PendingItem,
  pendingItemsQuery,
  resumeSignal,
  SEARCH_ATTRIBUTES,
  statusQuery,
  suspendSignal,
} from '../../../workflows/messages.ts';
