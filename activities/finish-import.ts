import { type BatchSummary, isTerminal, terminalStatus } from '../domain/batch/batch.ts';
import { sumBatches } from '../services/imports/sum-batches.ts';
import { readImport, recordImportFinished } from '../store/imports/imports.ts';
import type { FinishImportInput, FinishImportResult } from '../workflows/imports/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { noResult } from './finish-batch.ts';
import { freeContent } from './imports/free-content.ts';

/**
 * Ends a run of an import: the counts are the sum of its stored batches. Safe to repeat; a run that has ended is not changed.
 * @returns null if a batch is open: a caller has retried it meanwhile.
 */
export async function finishImport(context: ActivityContext, input: FinishImportInput): Promise<FinishImportResult> {
  const { database } = context;
  const imported = await readImport(database, input.importId);
  const ended = (status: BatchSummary['status']): BatchSummary => ({ ...noResult(), status, suspended: false });
  if (imported?.run !== input.run || imported.deletedAt !== undefined) return ended('cancelled');
  if (isTerminal(imported.status)) return { ...ended(imported.status), ...imported.result };
  const { finished, finishedBatches, open } = await sumBatches(database, imported._id);
  if (open.length > 0) return null;
  const status = terminalStatus(finished.counts, input.cancelled || imported.cancelRequested === true);
  if (imported.cut.isAtEnd) await freeContent(database, imported);
  await recordImportFinished(database, imported, status, { ...finished, batches: finishedBatches });
  return { ...finished, status, suspended: false };
}
