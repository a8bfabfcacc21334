import type { BatchResult, BatchStatus } from '../batch/batch.ts';
import type { Tally } from '../batch/tally.ts';
import type { SplitRows } from './row-group.ts';

/** What a file may be. */
export const IMPORT_FORMATS = ['ndjson', 'csv'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** Operations that an import can run on its rows. */
export const IMPORT_OPERATIONS = ['upload', 'patch', 'delete'] as const;
type ImportOperation = (typeof IMPORT_OPERATIONS)[number];

/** The value of `dependencyWaitTimeout` with which an item waits as long as other rows of its import may create what it misses. */
export const UNTIL_END_OF_IMPORT = 'import';

/** Options of an import, with defaults filled in. */
export interface ImportOptions {
  readonly operation: ImportOperation;
  readonly onconflict: 'upsert' | 'reject';
  readonly ignoreUnknownFields: boolean;
  /** Of a delete: what refers to a resource goes with it. */
  readonly cascade?: boolean;
  /** In seconds, or until the end of the import. Uploads alone wait. */
  readonly dependencyWaitTimeout: number | typeof UNTIL_END_OF_IMPORT;
  /** 1 (urgent) to 5: that of its batches. */
  readonly priority: number;
  /** Rows are checked, and nothing is written to resources. */
  readonly validateOnly?: boolean;
  /** Rows that become batches in a second, at most. */
  readonly maxPerSecond?: number;
  /** What its rows change is kept until the import is removed, so that it can be undone. */
  readonly undoable?: true | undefined;
  /** Days that it is kept once it has finished, 0: for ever; absent: as the installation is configured. */
  readonly retentionDays?: number | undefined;
}

/** Whether items wait as long as rows of their import may create what they miss. */
export const waitsForImport = ({ operation, dependencyWaitTimeout, validateOnly }: ImportOptions): boolean =>
  operation === 'upload' && dependencyWaitTimeout === UNTIL_END_OF_IMPORT && !validateOnly;

/** A place in the content of an import: the next byte to read. Parts are numbered from 1, their chunks from 0. */
export interface Place {
  readonly part: number;
  readonly chunk: number;
  readonly offset: number;
}

/** How far an import is cut into batches. */
export interface CutState extends Place {
  /** Number of the next batch, from 1. */
  readonly number: number;
  /** Number of the next line of the file, from 1. */
  readonly line: number;
  /** Rows and bytes that are cut so far. */
  readonly rows: number;
  readonly bytes: number;
  /** All content is cut. */
  readonly isAtEnd: boolean;
  /** Where rows name their schema definitions: rows from here on that were read, of which some have their batches. */
  readonly split?: SplitRows<Place>;
}

export const NOTHING_CUT: CutState = {
  part: 1,
  chunk: 0,
  offset: 0,
  number: 1,
  line: 1,
  rows: 0,
  bytes: 0,
  isAtEnd: false,
};

/** How many batches of an import there are, by what they do. */
interface BatchNumbers {
  readonly total: number;
  /** Not finished; those that only wait are included. */
  readonly running: number;
}

/** The state of an import as numbers: from a workflow query, or summed up from its stored batches. */
export interface ImportSummary extends Readonly<BatchResult> {
  readonly status: BatchStatus;
  readonly suspended: boolean;
  readonly batches: BatchNumbers;
  readonly rowsRead: number;
  readonly bytesRead: number;
  /** Rows that reached their outcome, a second, over the last minute; absent until there is enough to measure. */
  readonly rowsPerSecond?: number;
  /** ISO 8601; absent until the whole file is here and the speed is known. */
  readonly estimatedCompletionAt?: string;
}

/** Cycles of rows that are not applied although nothing else is missing. */
export interface UnappliedCycles {
  /** So many rows waited that no cycle was looked for. */
  readonly isUnsearched?: true;
  /** Rows of cycles with more members than can be applied together. */
  readonly tooLarge?: number;
}

/** What a batch reports to its import: that it only waits, that it has checked its pending items, or that it is finished. */
export interface BatchReport extends Tally {
  readonly number: number;
  readonly isFinished: boolean;
  /** The latest round of checks that it has completed. */
  readonly round: number;
}

/** What a batch stores of its latest report. */
export type ImportReport = Pick<BatchReport, 'counts' | 'actions' | 'errorCodes' | 'round'>;

/** The place of a batch in its import. */
export interface ImportOfBatch {
  readonly importId: string;
  /** From 1. */
  readonly number: number;
  readonly priority: number;
}
