import type { Client } from '@temporalio/client';
import { isTerminal, terminalStatus } from '../../domain/batch/batch.ts';
import { sameJson } from '../../domain/json/text.ts';
import type { JsonValue } from '../../domain/write/resource.ts';
import type { ImportBatch } from '../../store/imports/import-batches.ts';
import { type ImportDocument, readImport, recordImportSummedAnew } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { importEndedSignal } from '../../workflows/imports/messages.ts';
import { signalBatchOfImport } from './signal-batch.ts';
import { sumBatches } from './sum-batches.ts';

export interface CountParts {
  readonly client: Client;
  readonly database: Database;
}

/**
 * Counts an import anew that has ended, if its batches say something else by now: callers may retry them on their own.
 *
 * A batch stores its state and then reads whether its import has ended; the import stores its end and then reads its batches. So whichever
 * comes second sees the other, whether the workflow of the import is still there or not. Safe to repeat; whoever has stored numbers
 * reads again, so that the last one stores those of all.
 * @param visit called with each open batch, each time.
 */
export async function countEndedAnew(
  { database }: CountParts,
  importId: string,
  visit?: (open: ImportBatch) => void,
  progress?: () => void,
): Promise<void> {
  for (;;) {
    const imported = await endedImport(database, importId);
    if (imported === null) return;
    const { finished, waiting, running } = await sumBatches(database, importId, visit, progress);
    // the last of them counts all
    if (waiting.batches + running.batches > 0) return;
    const result = { ...finished.result, batches: finished.batches };
    const status = terminalStatus(result.counts, imported.status === 'cancelled');
    if (status === imported.status && sameJson(asJson(result), asJson(imported.result))) return;
    await recordImportSummedAnew(database, imported, status, result);
  }
}

/** The same, once an import has stored its end; batches that wait are told that nothing of it will create what they miss. */
export async function countAfterEnd(parts: CountParts, importId: string, progress: () => void): Promise<void> {
  const waiting = new Set<string>();
  const visit = ({ _id, report }: ImportBatch): void => {
    if (report !== undefined) waiting.add(_id);
  };
  await countEndedAnew(parts, importId, visit, progress);
  for (const batchId of waiting) {
    progress();
    await tellOfEnd(parts, batchId);
  }
}

/** Tells a batch that only waits that its import has ended. */
export const tellOfEnd = ({ client }: CountParts, batchId: string): Promise<void> =>
  signalBatchOfImport(client, batchId, (handle) => handle.signal(importEndedSignal));

const asJson = (value: unknown): JsonValue => JSON.parse(JSON.stringify(value ?? null)) as JsonValue;

export async function endedImport(database: Database, importId: string): Promise<ImportDocument | null> {
  const imported = await readImport(database, importId);
  return imported !== null && isTerminal(imported.status) && imported.deletedAt === undefined ? imported : null;
}
