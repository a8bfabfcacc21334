import { type TerminalStatus, terminalStatus } from '../batch/batch.ts';
import { type Counts, noCounts } from '../batch/outcome.ts';
import { MAX_UNDO_PASSES } from '../limits.ts';

/** What can be done with many batches at once. */
export const BULK_VERBS = ['cancel', 'suspend', 'resume', 'retry', 'delete'] as const;
export type BulkVerb = (typeof BULK_VERBS)[number];
/** All that bulk operations do: the undo of an import is about its batches. */
export const BULK_OPERATIONS = [...BULK_VERBS, 'undo'] as const;

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

/** @param items of the undo of an import: what became of the items of its undos. */
export function bulkStatus({ done, skipped, failed }: BulkCounts, items: Counts = noCounts()): TerminalStatus {
  const notDone = Object.values(failed).reduce((sum, count) => sum + count, 0);
  const ofItems = terminalStatus(items, false);
  if (notDone === 0 && ofItems !== 'success') return ofItems;
  if (notDone === 0) return 'success';
  return done + skipped === 0 ? 'failed' : 'partial_success';
}

/**
 * How far the undo of an import is. Its batches are undone one after the other, the newest first. What stood in the way of an item may be undone after it: batches of
 * an import run side by side, and their rows refer to each other in any order. So further passes, in turns from the oldest to the newest and back, run again
 * what was not reverted, as long as that reverts more.
 */
export interface ImportUndo {
  readonly importId: string;
  /** The run of the import that it undoes. */
  readonly run: number;
  /** Operations that have begun to undo it and did not succeed: this one goes on with what they have left. */
  readonly after: readonly string[];
  /** The import says that it is undone by this. */
  readonly isClaimed: boolean;
  /** From 1: the odd ones from the newest batch to the oldest. */
  readonly pass: number;
  /** Number of the batch whose turn was last; null: none's. */
  readonly at: number | null;
  /** The undo that runs again in this turn: the run whose end is awaited, and how many of its items were not reverted before. */
  readonly awaited?: { readonly number: number; readonly run: number; readonly left: number };
  /** Items that are not reverted after their turns of this pass, and those that it has reverted. */
  readonly left: number;
  readonly reverted: number;
}

/** Whether another pass may revert more. A chain of rows over many batches in turns may need more passes than there are. */
export const hasAnotherPass = ({ pass, left, reverted }: Pick<ImportUndo, 'pass' | 'left' | 'reverted'>): boolean =>
  left > 0 && reverted > 0 && pass < MAX_UNDO_PASSES;

/** A place among the batches that are matched: the next one whose turn comes. */
export interface BulkPlace {
  readonly page: number;
  readonly offset: number;
}
