import type { Client } from '@temporalio/client';
import { type BatchStatus, isTerminal, type Progress, progressOf } from '../../domain/batch/batch.ts';
import type { Actions, Counts, ItemErrorCode } from '../../domain/batch/outcome.ts';
import { counted } from '../../domain/counted.ts';
import type { ImportFormat, ImportOptions, ImportSummary, UnappliedCycles } from '../../domain/imports/import.ts';
import { copied, nothing } from '../../domain/imports/sum.ts';
import { MAX_CYCLE_ITEMS, MAX_STATUS_QUERY_MS } from '../../domain/limits.ts';
import { type ImportDocument, readImport } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { importStatusQuery, importWorkflowId } from '../../workflows/imports/messages.ts';
import { startsLater } from '../batches/start-time.ts';
import { summaryOfErrors } from '../batches/view-batch.ts';
import { sumBatches, sumOfAll } from './sum-batches.ts';

/** An import as callers read it (docs/api.md#imports). */
export interface ImportView {
  readonly importId: string;
  readonly status: BatchStatus;
  readonly suspended: boolean;
  /** Null where each row names its own. */
  readonly schemaDefinitionId: string | null;
  readonly schemaName: string | null;
  readonly format: ImportFormat;
  readonly label?: string;
  readonly startAt?: string;
  readonly createdBy?: string;
  readonly undoneBy?: string;
  readonly options: ImportOptions;
  readonly progress: Progress;
  readonly counts: Counts;
  readonly actions: Actions;
  readonly rowsRead: number;
  readonly bytesRead: number;
  readonly bytesReceived: number;
  readonly sealed: boolean;
  readonly brokenOff?: string;
  readonly warnings?: readonly string[];
  readonly rowsPerSecond?: number;
  readonly estimatedCompletionAt?: string;
  readonly batches: ImportSummary['batches'];
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly errors?: { readonly summary: Partial<Record<ItemErrorCode, number>>; readonly message: string };
  readonly source: 'workflow' | 'store';
}

interface ViewParts {
  readonly database: Database;
  readonly client: Client;
}

/**
 * An import with its status: from a workflow query while it runs, from the store once it is closed or if no worker answers.
 * @throws errors of MongoDB; an unavailable Temporal is no error.
 */
export async function viewImport(parts: ViewParts, imported: ImportDocument): Promise<ImportView> {
  // a workflow that waits for its start time answers no query
  const mayAnswer = !isTerminal(imported.status) && !startsLater(imported);
  const answer = mayAnswer ? await querySummary(parts.client, imported._id) : null;
  // before its first check the workflow does not know the batches of the runs before
  if (answer !== null && !isTerminal(answer.status) && answer.status !== 'queued')
    return toView(imported, answer, 'workflow');
  // the workflow may not answer because it has ended since; then the store has the result
  return viewStoredImport(parts.database, (await readImport(parts.database, imported._id)) ?? imported);
}

/** An import as it is stored, with all of its batches. */
export async function viewStoredImport(database: Database, imported: ImportDocument): Promise<ImportView> {
  return toView(imported, await storedSummary(database, imported), 'store');
}

/** An import of a list: its batches, which may be thousands, as its workflow has summed them up last; what it has not seen counts as queued. */
export function viewListedImport(imported: ImportDocument): ImportView {
  const { status, suspended, cut, result, sum = { ...nothing(), open: 0 } } = imported;
  const about = { status, suspended, rowsRead: cut.rows, bytesRead: cut.bytes };
  if (result) return toView(imported, { ...about, ...ended(result) }, 'store');
  const { result: summed } = copied(sum);
  const unseen = cut.rows - Object.values(summed.counts).reduce((all, n) => all + n, 0);
  summed.counts.queued += Math.max(0, unseen);
  return toView(imported, { ...about, ...summed, batches: { total: sum.batches, running: sum.open } }, 'store');
}

const ended = ({ batches, ...counted }: NonNullable<ImportDocument['result']>) => ({
  ...counted,
  batches: { total: batches, running: 0 },
});

async function querySummary(client: Client, importId: string): Promise<ImportSummary | null> {
  try {
    return await client.withDeadline(Date.now() + MAX_STATUS_QUERY_MS, () =>
      client.workflow.getHandle(importWorkflowId(importId)).query(importStatusQuery),
    );
  } catch (error) {
    // whatever the reason why the workflow does not answer, the store has an answer
    if (error instanceof Error) return null;
    throw error;
  }
}

async function storedSummary(database: Database, imported: ImportDocument): Promise<ImportSummary> {
  const { status, suspended, cut, result } = imported;
  const about = { status, suspended, rowsRead: cut.rows, bytesRead: cut.bytes };
  if (result) return { ...about, ...ended(result) };
  const stored = await sumBatches(database, imported._id);
  const { batches: total, result: summed } = sumOfAll(stored);
  return { ...about, ...summed, batches: { total, running: stored.waiting.batches + stored.running.batches } };
}

function toView(imported: ImportDocument, summary: ImportSummary, source: ImportView['source']): ImportView {
  const { errorCodes, counts, actions, ...about } = summary;
  const { errors } = summaryOfErrors(summary);
  return {
    importId: imported._id,
    ...about,
    schemaDefinitionId: imported.schemaDefinitionId ?? null,
    schemaName: imported.schemaName ?? null,
    format: imported.format,
    ...(imported.label !== undefined && { label: imported.label }),
    ...(imported.startAt && { startAt: imported.startAt.toISOString() }),
    ...(imported.createdBy !== undefined && { createdBy: imported.createdBy }),
    ...(imported.undoneBy !== undefined && { undoneBy: imported.undoneBy }),
    options: imported.options,
    progress: progressOf(counts),
    counts,
    actions,
    bytesReceived: imported.received,
    sealed: imported.sealed,
    ...(imported.brokenOff !== undefined && { brokenOff: imported.brokenOff }),
    ...(imported.unappliedCycles && { warnings: warningsOf(imported.unappliedCycles) }),
    createdAt: imported.createdAt.toISOString(),
    ...(imported.startedAt && { startedAt: imported.startedAt.toISOString() }),
    ...(imported.completedAt && isTerminal(summary.status) && { completedAt: imported.completedAt.toISOString() }),
    ...(errors && { errors: { summary: errors.summary, message: errors.message } }),
    source,
  };
}

function warningsOf({ isUnsearched, tooLarge = 0 }: UnappliedCycles): string[] {
  const said: string[] = [];
  if (isUnsearched)
    said.push(
      'so many rows waited in the end that cycles of rows of several batches were not looked for: an operator can raise DELETION_MEMORY_BYTES, and then a retry finds them',
    );
  if (tooLarge > 0)
    said.push(
      `${counted(tooLarge, 'row')} refer to each other in cycles of more than ${MAX_CYCLE_ITEMS} rows, which are not applied: import them without one of the references, and patch that afterwards`,
    );
  return said;
}
