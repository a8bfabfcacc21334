import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { BatchResult, BatchSummary } from '../../domain/batch/batch.ts';
import type { BatchReport, ImportSummary } from '../../domain/imports/import.ts';

/** The contract of an import's workflow: ids, signals, queries and their types (docs/signals-and-queries.md). */

/** Workflow type of every import. */
export const IMPORT_WORKFLOW_TYPE = 'importWorkflow';

/** Workflow id of an import. */
export const importWorkflowId = (importId: string): string => `import-${importId}`;

/** More content is stored, or all of it: a hint. */
export const contentReceivedSignal = defineSignal('contentReceived');
/** What is stored of suspend, resume, cancel or delete has changed: the workflow reads it. */
export const importControlSignal = defineSignal('importControl');
/** What a batch of the import reports. */
export const batchReportedSignal = defineSignal<[BatchReport]>('batchReported');

/** To a batch of an import: check all pending items, apply what can be applied, then report that this round is complete. */
export const checkRoundSignal = defineSignal<[number]>('checkRound');
/** To a batch of an import: nothing of the import can create what its items miss any more. */
export const importEndedSignal = defineSignal('importEnded');

export const importStatusQuery = defineQuery<ImportSummary>('status');

/** Input of an import's workflow: names and numbers, never a row (invariant 7). */
export interface ImportInput {
  readonly importId: string;
  /** Scope of the import: `platform/tenant`, escaped; the fairness key is derived from it. */
  readonly scope: string;
  readonly schemaName: string;
  /** 1, and one more for each retry. */
  readonly run: number;
  /** Batches that run at a time; those that only wait do not count. */
  readonly window: number;
  /** Time limit of an activity, from start to close or between two heartbeats. */
  readonly activityTimeoutSeconds: number;
  /** Items wait until the end of the import. */
  readonly waits: boolean;
  /** Carried over by continue-as-new; everything else is read again. */
  readonly retryFrom?: number | null;
}

interface RunOfImport {
  readonly importId: string;
  readonly run: number;
}

export interface CheckImportInput extends RunOfImport {
  /** Batches that wait are asked to check their items, and to report that they have completed this round. */
  readonly round?: number;
  /** Nothing of the import can create what is missing any more: what waits ends. */
  readonly isEnd?: true;
  /** The import was cancelled in Temporal, which is not stored yet. */
  readonly isCancelled?: true;
}

/** A batch that is not finished, as it is stored. */
interface OpenImportBatch {
  readonly number: number;
  readonly total: number;
  /** Its latest report; absent: none yet. */
  readonly report?: BatchReport;
}

/** What is stored of an import, with its batches summed up. */
export interface ImportState {
  readonly suspended: boolean;
  readonly cancelled: boolean;
  /** Number of the next batch. */
  readonly next: number;
  readonly isAtEnd: boolean;
  readonly sealed: boolean;
  readonly rowsRead: number;
  readonly bytesRead: number;
  readonly received: number;
  /** The sum of its finished batches, and how many there are. */
  readonly finished: BatchResult;
  readonly finishedBatches: number;
  readonly open: readonly OpenImportBatch[];
}

export interface CutImportInput extends RunOfImport {
  /** Number of the first batch that the workflow does not know. */
  readonly from: number;
  /** Batches to start at most. */
  readonly room: number;
  /** Fewer rows than a full batch are cut, although more may come. */
  readonly takesFew: boolean;
  /** A retry: number from which on finished batches are to be looked through for unsuccessful items; null: all are. */
  readonly retryFrom: number | null;
}

export interface CutImportResult
  extends Pick<ImportState, 'isAtEnd' | 'sealed' | 'rowsRead' | 'bytesRead' | 'received'> {
  readonly batches: readonly { readonly number: number; readonly total: number }[];
  readonly retryFrom: number | null;
  /** Complete rows are left, fewer than a full batch. */
  readonly hasFew: boolean;
  /** Finished batches were retried: their results do not count any more. */
  readonly hasRetried: boolean;
}

/** The end of a run; null if a batch is open again. */
export type FinishImportResult = BatchSummary | null;
export type FinishImportInput = RunOfImport & { readonly cancelled: boolean };
