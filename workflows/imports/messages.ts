import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { BatchSummary } from '../../domain/batch/batch.ts';
import type { BatchReport, ImportSummary } from '../../domain/imports/import.ts';
import type { Speed } from '../../domain/imports/speed.ts';
import type { SummedBatches } from '../../domain/imports/sum.ts';

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

/** To a batch of an import: check all pending items, apply what can be applied, then report under this number. */
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
  /** That of its own tasks; absent: an earlier version has started it. */
  readonly priority?: number;
  /** See `fairness`. */
  readonly isForAll?: true;
  /** Nothing of it is cut before, in ms since 1970. */
  readonly startAt?: number;
  /** Items wait until the end of the import. */
  readonly waits: boolean;
  /** Carried over by continue-as-new; everything else is read again. */
  readonly retryFrom?: number | null;
  readonly measured?: Speed['measured'];
  readonly settling?: CarriedSettling;
}

/** When batches that only wait are looked at again, in ms since 1970, how many are asked and have not answered, and whether their wait has ended. */
export interface CarriedSettling {
  readonly due: number;
  readonly asked: number;
  readonly isEnded: boolean;
}

interface RunOfImport {
  readonly importId: string;
  readonly run: number;
}

export interface CheckImportInput extends RunOfImport {
  /** The import was cancelled in Temporal, which is not stored yet. */
  readonly isCancelled?: true;
}

interface NumberedBatch {
  readonly number: number;
  readonly total: number;
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
  /** Its finished batches, and those that only wait, as they have reported last. */
  readonly finished: SummedBatches;
  readonly waiting: SummedBatches;
  /** Those that run; beyond the first ones only how many there are. */
  readonly running: readonly NumberedBatch[];
  readonly unnamed: { readonly batches: number; readonly rows: number };
}

export type SettleImportInput = RunOfImport;

/** What was found of batches that only wait, and done about it. */
export interface SettleImportResult {
  /** One does not only wait: nothing was done. */
  readonly isRunning: boolean;
  /** Batches that were signalled: to check their items, or that their wait has ended. */
  readonly asked: number;
  /** Nothing of the import can create what is missing. */
  readonly isEnd: boolean;
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
  readonly batches: readonly NumberedBatch[];
  readonly retryFrom: number | null;
  /** Complete rows are left, fewer than a full batch. */
  readonly hasFew: boolean;
  /** There is more to do of the same kind, although there may be no new batch. */
  readonly hasMore?: true;
  /** Nothing is to be cut before this time, in ms since 1970. */
  readonly notBefore?: number;
  /** The same as a time to wait, in ms: clocks differ. Absent in results of earlier builds. */
  readonly waitMs?: number;
  /** Finished batches were retried: their results do not count any more. */
  readonly hasRetried: boolean;
}

/** The end of a run; null if a batch is open again. */
export type FinishImportResult = BatchSummary | null;
export type FinishImportInput = RunOfImport & { readonly cancelled: boolean };
