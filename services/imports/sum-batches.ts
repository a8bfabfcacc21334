import { isTerminal } from '../../domain/batch/batch.ts';
import { addTally } from '../../domain/batch/tally.ts';
import { copied, nothing, type SummedBatches } from '../../domain/imports/sum.ts';
import { type ImportBatch, importBatches, isOpenBatch } from '../../store/imports/import-batches.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** The batches of an import, as they are stored. */
interface StoredBatches {
  readonly finished: SummedBatches;
  /** Those that only wait, as they have reported last. */
  readonly waiting: SummedBatches;
  /** The others. */
  readonly running: { readonly batches: number; readonly rows: number };
}

/**
 * Sums up the batches of an import. Those that a caller has removed do not count.
 * @param visit called with each open one. @param progress called for each: there may be ten thousands.
 */
export async function sumBatches(
  database: Database,
  importId: string,
  visit: (open: ImportBatch) => void = () => undefined,
  progress: () => void = () => undefined,
): Promise<StoredBatches> {
  const [finished, waiting, running] = [nothing(), nothing(), { batches: 0, rows: 0 }];
  for await (const batch of importBatches(database, importId)) {
    progress();
    const { status, deletedAt, result, report, total } = batch;
    if (isOpenBatch(batch)) {
      visit(batch);
      if (report === undefined) {
        running.batches += 1;
        running.rows += total;
      } else {
        waiting.batches += 1;
        addTally(waiting.result, report);
      }
    } else if (isTerminal(status) && deletedAt === undefined) {
      finished.batches += 1;
      if (result) addTally(finished.result, result);
    }
  }
  return { finished, waiting, running };
}

/** The sum of all of them; rows of those that run count as queued. */
export function sumOfAll({ finished, waiting, running }: StoredBatches): SummedBatches {
  const { result } = copied(finished);
  addTally(result, waiting.result);
  result.counts.queued += running.rows;
  return { batches: finished.batches + waiting.batches + running.batches, result };
}
