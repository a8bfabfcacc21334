import { isTerminal } from '../../domain/batch/batch.ts';
import { readBatch } from '../../store/batches/batches.ts';
import { claimRetry } from '../../store/batches/run-state.ts';
import { confirmStarts } from '../../store/batches/to-recover.ts';
import { type ImportBatch, importBatches, isOpenBatch } from '../../store/imports/import-batches.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { type StartParts, startBatch } from '../batches/start-batch.ts';

/**
 * Runs the unsuccessful items of finished batches of an import again, each batch in a new run. The claim of a run is one write; a batch that
 * is claimed and not started is started by recovery.
 * @param from number of the first batch to look at. @param room batches to retry at most.
 * @returns how many run again, and the number to continue from; null: all are looked at.
 */
export async function retryOfImport(
  parts: StartParts & { readonly database: Database },
  importId: string,
  from: number,
  room: number,
): Promise<{ readonly count: number; readonly next: number | null }> {
  const { database } = parts;
  let count = 0;
  for await (const found of importBatches(database, importId, from)) {
    if (count === room) return { count, next: found.importNumber ?? from };
    if (isOpenBatch(found)) count += 1;
    if (!isToRetry(found)) continue;
    const batch = await readBatch(database, found._id);
    const claimed = batch && (await claimRetry(database, batch));
    if (claimed === null) continue;
    await startBatch(parts, claimed);
    await confirmStarts(database, [claimed]);
    count += 1;
  }
  return { count, next: null };
}

/** Whether a finished batch has items to run again. */
function isToRetry({ status, deletedAt, result }: ImportBatch): boolean {
  if (!isTerminal(status) || deletedAt !== undefined || result === undefined) return false;
  const { failed, expired, cancelled } = result.counts;
  return failed + expired + cancelled > 0;
}
