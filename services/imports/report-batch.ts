import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { BatchResult } from '../../domain/batch/batch.ts';
import type { BatchReport } from '../../domain/imports/import.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { batchReportedSignal, importWorkflowId } from '../../workflows/imports/messages.ts';
import { isSignalLimit } from '../batches/signal-limit.ts';

/**
 * Tells an import what its batch has stored. A report that is lost, because its workflow is not there or accepts no more signals
 * for now, is read from the store by the import's next check.
 */
export async function reportToImport(
  { client }: { readonly client: Client },
  importId: string,
  report: BatchReport,
): Promise<void> {
  try {
    await client.workflow.getHandle(importWorkflowId(importId)).signal(batchReportedSignal, report);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError) && !isSignalLimit(error)) throw error;
  }
}

/** Tells the import of a finished batch, if it is part of one. */
export async function reportFinished(
  parts: { readonly client: Client },
  { importId, importNumber }: BatchDocument,
  result: BatchResult,
): Promise<void> {
  if (importId !== undefined && importNumber !== undefined) await reportEnd(parts, importId, importNumber, result);
}

/** Tells an import that a batch of it is finished; safe to repeat. */
export async function reportEnd(
  parts: { readonly client: Client },
  importId: string,
  number: number,
  { counts, actions, errorCodes }: BatchResult,
): Promise<void> {
  await reportToImport(parts, importId, { counts, actions, errorCodes, number, isFinished: true, round: 0 });
}
