import { type Actions, type Counts, ITEM_STATUSES, type ItemErrorCode, type ItemStatus } from './outcome.ts';

export const OPERATIONS = ['upload', 'patch', 'delete', 'undo', 'terminate'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Whether items are bodies to write, not ids to delete. */
export const isWrite = (operation: Operation): operation is WriteBatch['operation'] =>
  operation === 'upload' || operation === 'patch';

/** Whether items end as resources that are written: its activities lay intents, and leave write records. */
export const writesResources = (operation: Operation): boolean => isWrite(operation) || operation === 'undo';

/** Whether resources are deleted by the steps of a stored plan. */
export const hasSteps = (operation: Operation): boolean => operation === 'delete' || operation === 'undo';

/** The names that Reach clients know, and one for each operation that Reach does not have. */
export const BATCH_TYPES = {
  upload: 'PARTNER_RESOURCE_JSON_INGEST',
  patch: 'PARTNER_RESOURCE_BATCH_PATCH',
  delete: 'PARTNER_RESOURCE_BATCH_DELETE',
  undo: 'BATCH_UNDO',
  terminate: 'PROCESS_INSTANCE_DELETE',
} as const satisfies Record<Operation, string>;
export type BatchType = (typeof BATCH_TYPES)[Operation];

/** What a batch of resources may ask of the way it is run. */
interface FanOutOptions {
  /** Most resources that one activity works on; absent: as the installation is configured. */
  readonly resourcesPerActivity?: number | undefined;
  /** Days that it is kept once it has finished, 0: for ever; absent: as the installation is configured. */
  readonly retentionDays?: number | undefined;
  /** What each item changes is kept until the batch is removed, so that it can be undone. */
  readonly undoable?: true | undefined;
}

/** Options of an upload (docs/api.md#the-three-requests); `dependencyWaitTimeout` in seconds, 0 = do not wait. */
interface UploadOptions extends FanOutOptions {
  readonly onconflict: 'upsert' | 'reject';
  readonly ignoreUnknownFields: boolean;
  readonly dependencyWaitTimeout: number;
}

/** Options of a patch. */
interface PatchOptions extends FanOutOptions {
  readonly ignoreUnknownFields: boolean;
}

/** Options of a delete. */
interface DeleteOptions extends FanOutOptions {
  readonly cascade: boolean;
  readonly deleteAll: boolean;
}

/** Options of a termination: a deletion of process instances (docs/camunda.md#deleting). */
interface TerminateOptions {
  readonly deleteReason?: string;
  readonly skipCustomListeners: boolean;
  readonly skipSubprocesses: boolean;
  readonly failIfNotExists: boolean;
  /** Items of one activity. */
  readonly invocationsPerBatchJob: number;
  /** Activities that are planned at a time. */
  readonly batchJobsPerSeed: number;
  /** How long an execution may take to end after a cancellation request; then it is terminated. */
  readonly terminationGraceSeconds: number;
  /** Whose executions are meant: those of one tenant, or all of the namespace (platform scope). */
  readonly reach: 'tenant' | 'namespace';
  /** When the request arrived, ISO 8601: executions that started later are not included. */
  readonly requestedAt: string;
}

/** The schema definition whose resources a batch is about. */
interface OfSchemaDefinition {
  schemaDefinitionId: string;
  schemaName: string;
}

/** Creates resources, or merges into existing ones. Its items are bodies. */
interface Upload extends OfSchemaDefinition {
  operation: 'upload';
  options: UploadOptions;
}

/** Merges into existing resources. Its items are bodies. */
interface Patch extends OfSchemaDefinition {
  operation: 'patch';
  options: PatchOptions;
}

/** Deletes resources. Its items are external ids, without bodies. */
export interface Delete extends OfSchemaDefinition {
  operation: 'delete';
  options: DeleteOptions;
}

/** What an undo reverts. */
interface UndoOptions {
  /** The batch that it takes back. */
  readonly undoOf: string;
}

/** Takes back the effects of another batch. Its items are resources, of that batch's schema definition and others that a cascade has deleted. */
export interface Undo extends OfSchemaDefinition {
  operation: 'undo';
  options: UndoOptions;
}

/** Ends workflow executions. Its items are their ids; it has no schema definition. */
export interface Terminate {
  operation: 'terminate';
  options: TerminateOptions;
  schemaDefinitionId?: never;
  schemaName?: never;
}

export type WriteBatch = Upload | Patch;
export type ResourceBatch = WriteBatch | Delete;
/** The operation of a batch with its options. */
export type Batch = ResourceBatch | Undo | Terminate;
/** A batch whose items are written as resources. */
export type WriterBatch = WriteBatch | Undo;

/** The operation of a batch with its options, without its schema definition. */
export type Instruction<B extends Batch = Batch> = B extends Batch ? Pick<B, 'operation' | 'options'> : never;

/**
 * @throws TypeError if a batch has none of these operations: then the calling code has a bug.
 */
export function ofOperation<B extends Batch, O extends Operation>(
  batch: B,
  ...operations: readonly O[]
): Extract<B, { operation: O }> {
  const isOne = (one: B): one is Extract<B, { operation: O }> => operations.some((each) => each === one.operation);
  if (isOne(batch)) return batch;
  throw new TypeError(`a batch to ${operations.join(' or ')} was expected, not one to ${batch.operation}`);
}

/** The same of writes. */
export const ofWrite = <B extends Batch>(batch: B) => ofOperation(batch, 'upload', 'patch');

/** Whether the states that a batch replaces are kept. */
export const isUndoable = (batch: Batch): boolean =>
  batch.operation !== 'undo' && batch.operation !== 'terminate' && batch.options.undoable === true;

/** How long items of a batch may wait for missing references, in seconds; 0: not at all. */
export const waitSecondsOf = (batch: Batch): number =>
  batch.operation === 'upload' ? batch.options.dependencyWaitTimeout : 0;

type RunningStatus = 'queued' | 'processing' | 'waiting';
export type TerminalStatus = 'success' | 'partial_success' | 'failed' | 'cancelled';
export type BatchStatus = RunningStatus | TerminalStatus;

export const RUNNING_STATUSES = ['queued', 'processing', 'waiting'] as const satisfies readonly RunningStatus[];
export const BATCH_STATUSES = [
  ...RUNNING_STATUSES,
  'success',
  'partial_success',
  'failed',
  'cancelled',
] as const satisfies readonly BatchStatus[];

export function isTerminal(status: BatchStatus): status is TerminalStatus {
  return status !== 'queued' && status !== 'processing' && status !== 'waiting';
}

const UNSUCCESSFUL: readonly ItemStatus[] = ['failed', 'expired', 'cancelled'];

/** The outcomes that a retry of a batch runs again; of an undo also what it has skipped, because what stood in the way may be gone. */
export const isRetried = (operation: Operation, status: ItemStatus): boolean =>
  UNSUCCESSFUL.includes(status) || (operation === 'undo' && status === 'skipped');

/** How many items a retry of a batch runs again. */
export const countRetried = (operation: Operation, counts: Counts): number =>
  ITEM_STATUSES.reduce((sum, status) => sum + (isRetried(operation, status) ? counts[status] : 0), 0);

/** Derived from counts: a batch of 0 succeeded with rate 1. */
export interface Progress {
  readonly totalRecords: number;
  readonly processedRecords: number;
  readonly successfulRecords: number;
  readonly pendingRecords: number;
  readonly failedRecords: number;
  readonly successRate: number;
}

export function progressOf(counts: Counts): Progress {
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const successful = counts.succeeded + counts.skipped;
  return {
    totalRecords: total,
    processedRecords: total - counts.queued - counts.pending,
    successfulRecords: successful,
    pendingRecords: counts.pending,
    failedRecords: counts.failed + counts.expired + counts.cancelled,
    successRate: total === 0 ? 1 : successful / total,
  };
}

/** The final status of a batch, from the outcomes of its items. */
export function terminalStatus(counts: Counts, cancelled: boolean): TerminalStatus {
  if (cancelled) return 'cancelled';
  const unsuccessful = counts.failed + counts.expired + counts.cancelled;
  if (unsuccessful === 0) return 'success';
  return counts.succeeded + counts.skipped === 0 ? 'failed' : 'partial_success';
}

/** The outcomes of a batch's items, as numbers. */
export interface BatchResult {
  counts: Counts;
  actions: Actions;
  /** Items by error code: each item once for each of its codes. */
  errorCodes: Partial<Record<ItemErrorCode, number>>;
}

/** The state of a batch without its items: from a workflow query, or stored once the workflow is closed. */
export interface BatchSummary extends Readonly<BatchResult> {
  readonly status: BatchStatus;
  readonly suspended: boolean;
  /** Earliest deadline of a pending item, ISO 8601. */
  readonly pendingUntil?: string;
}

/** The state that a workflow stores of its batch. */
export interface RunningState {
  readonly status: RunningStatus;
  readonly suspended: boolean;
  /** The latest control request that was delivered to the workflow; null: none. Absent: it was started by an earlier version. */
  readonly asked?: string | null;
  /** The batch was cancelled by a signal of a program, or in Temporal. */
  readonly cancelled?: true;
}
