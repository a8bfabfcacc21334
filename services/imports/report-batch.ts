import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { BatchResult } from '../../domain/batch/batch.ts';
import type { BatchReport } from '../../domain/imports/import.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { batchReportedSignal, importWorkflowId } from '../../workflows/imports/messages.ts';
import { isSignalLimit } from '../batches/signal-limit.ts';
import { type CountParts, countEndedAnew, endedImport, tellOfEnd } from './count-ended-anew.ts';

/**
 * Tells an import what its batch has stored. A report that is lost, because the workflow accepts no more signals for now, has ended, or is about
 * to be started, is read from the store by the import's next check.
 */
async function deliver(client: Client, importId: string, report: BatchReport): Promise<void> {
  try {
    await client.workflow.getHandle(importWorkflowId(importId)).signal(batchReportedSignal, report);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError) && !isSignalLimit(error)) throw error;
  }
}

/** Tells an import that only items are left that wait. If the import has ended, so has their wait: no row of it will create what they miss. */
export async function reportWaiting(
  parts: CountParts,
  batchId: string,
  importId: string,
  report: BatchReport,
): Promise<void> {
  await deliver(parts.client, importId, report);
  if ((await endedImport(parts.database, importId)) !== null) await tellOfEnd(parts, batchId);
}

/** Tells the import of a finished batch, if it is part of one. */
export async function reportFinished(
  parts: CountParts,
  { importId, importNumber }: BatchDocument,
  result: BatchResult,
): Promise<void> {
  if (importId !== undefined && importNumber !== undefined) await reportEnd(parts, importId, importNumber, result);
}

/** Tells an import that a batch of it is finished; safe to repeat. If the import has ended, its numbers are counted anew. */
export async function reportEnd(
  parts: CountParts,
  importId: string,
  number: number,
  { counts, actions, errorCodes }: BatchResult,
): Promise<void> {
  await deliver(parts.client, importId, { counts, actions, errorCodes, number, isFinished: true, round: 0 });
  await countEndedAnew(parts, importId);
}
