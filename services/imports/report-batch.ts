import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { type BatchResult, isTerminal, terminalStatus } from '../../domain/batch/batch.ts';
import type { BatchReport } from '../../domain/imports/import.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { type ImportDocument, readImport, recordImportSummedAnew } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { batchReportedSignal, importEndedSignal, importWorkflowId } from '../../workflows/imports/messages.ts';
import { isSignalLimit } from '../batches/signal-limit.ts';
import { signalBatchOfImport } from './signal-batch.ts';
import { sumBatches } from './sum-batches.ts';

interface ReportParts {
  readonly client: Client;
  readonly database: Database;
}

/**
 * Tells an import what its batch has stored. A report that is lost, because the workflow accepts no more signals for now, is read from the store
 * by the import's next check. @returns false if there is no workflow: it has ended, or is about to be started.
 */
async function deliver({ client }: ReportParts, importId: string, report: BatchReport): Promise<boolean> {
  try {
    await client.workflow.getHandle(importWorkflowId(importId)).signal(batchReportedSignal, report);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    if (!isSignalLimit(error)) throw error;
  }
  return true;
}

/** An import that has ended, some of whose batches callers may have retried on their own since. */
async function endedImport({ database }: ReportParts, importId: string): Promise<ImportDocument | null> {
  const imported = await readImport(database, importId);
  return imported !== null && isTerminal(imported.status) && imported.deletedAt === undefined ? imported : null;
}

/** Tells an import that only items are left that wait. If the import has ended, so has their wait: no row of it will create what they miss. */
export async function reportWaiting(
  parts: ReportParts,
  batchId: string,
  importId: string,
  report: BatchReport,
): Promise<void> {
  if (await deliver(parts, importId, report)) return;
  if ((await endedImport(parts, importId)) !== null)
    await signalBatchOfImport(parts.client, batchId, (handle) => handle.signal(importEndedSignal));
}

/** Tells the import of a finished batch, if it is part of one. */
export async function reportFinished(
  parts: ReportParts,
  { importId, importNumber }: BatchDocument,
  result: BatchResult,
): Promise<void> {
  if (importId !== undefined && importNumber !== undefined) await reportEnd(parts, importId, importNumber, result);
}

/** Tells an import that a batch of it is finished; safe to repeat. If the import has ended, its numbers are counted anew. */
export async function reportEnd(
  parts: ReportParts,
  importId: string,
  number: number,
  { counts, actions, errorCodes }: BatchResult,
): Promise<void> {
  const report = { counts, actions, errorCodes, number, isFinished: true, round: 0 };
  if (await deliver(parts, importId, report)) return;
  const imported = await endedImport(parts, importId);
  if (imported === null) return;
  const { finished, waiting, running } = await sumBatches(parts.database, importId);
  // the last of them counts all
  if (waiting.batches + running.batches > 0) return;
  const { result, batches } = finished;
  const status = terminalStatus(result.counts, imported.status === 'cancelled');
  await recordImportSummedAnew(parts.database, imported, status, { ...result, batches });
}
