import type { TerminalStatus } from '../batch/batch.ts';

/** What can be done with many batches at once. */
export const BULK_VERBS = ['cancel', 'suspend', 'resume', 'retry', 'delete'] as const;
export type BulkVerb = (typeof BULK_VERBS)[number];

export const BULK_STATUSES = ['queued', 'processing', 'success', 'partial_success', 'failed', 'cancelled'] as const;
export type BulkStatus = (typeof BULK_STATUSES)[number];

/** What became of batches that were matched. */
export interface BulkCounts {
  readonly done: number;
  /** They did not fit the filter any more when their turn came. */
  readonly skipped: number;
  /** Those whose state did not allow it, by code. */
  readonly failed: Readonly<Record<string, number>>;
}

export function bulkStatus({ done, skipped, failed }: BulkCounts): TerminalStatus {
  const notDone = Object.values(failed).reduce((sum, count) => sum + count, 0);
  if (notDone === 0) return 'success';
  return done + skipped === 0 ? 'failed' : 'partial_success';
}

/** A place among the batches that are matched: the next one whose turn comes. */
export interface BulkPlace {
  readonly page: number;
  readonly offset: number;
}
