import { type BatchResult, isTerminal } from '../../domain/batch/batch.ts';
import { noActions, noCounts } from '../../domain/batch/outcome.ts';
import { addTally } from '../../domain/batch/tally.ts';
import { type ImportBatch, importBatches, isOpenBatch } from '../../store/imports/import-batches.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** The batches of an import, as they are stored. */
interface SummedBatches {
  /** The sum of the finished ones, and how many there are. */
  readonly finished: BatchResult;
  readonly finishedBatches: number;
  readonly open: readonly ImportBatch[];
}

/** Sums up the finished batches of an import. Those that a caller has removed do not count. */
export async function sumBatches(database: Database, importId: string): Promise<SummedBatches> {
  const finished: BatchResult = { counts: noCounts(), actions: noActions(), errorCodes: {} };
  let finishedBatches = 0;
  const open: ImportBatch[] = [];
  for await (const batch of importBatches(database, importId)) {
    if (isOpenBatch(batch)) open.push(batch);
    if (!isTerminal(batch.status) || batch.deletedAt !== undefined) continue;
    finishedBatches += 1;
    if (batch.result) addTally(finished, batch.result);
  }
  return { finished, finishedBatches, open };
}

/** The sum with what open batches have reported; rows without a report count as queued. */
export function withOpen({ finished, open }: SummedBatches): BatchResult {
  const sum: BatchResult = {
    counts: { ...finished.counts },
    actions: { ...finished.actions },
    errorCodes: { ...finished.errorCodes },
  };
  for (const { report, total } of open)
    addTally(sum, report ?? { counts: { queued: total }, actions: {}, errorCodes: {} });
  return sum;
}
