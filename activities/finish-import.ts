import { type BatchSummary, isTerminal, terminalStatus } from '../domain/batch/batch.ts';
import { endEvent } from '../domain/webhooks/webhook.ts';
import { countAfterEnd } from '../services/imports/count-ended-anew.ts';
import { sumBatches } from '../services/imports/sum-batches.ts';
import { announceImport, eventToNote } from '../services/webhooks/announce.ts';
import { removeChunksOf } from '../store/imports/import-content.ts';
import { removeImportKeys } from '../store/imports/import-keys.ts';
import { readImport, recordImportFinished } from '../store/imports/imports.ts';
import type { FinishImportInput, FinishImportResult } from '../workflows/imports/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { showProgress } from './control/show-progress.ts';
import { noResult } from './finish-batch.ts';

/**
 * Ends a run of an import: the counts are the sum of its stored batches. Safe to repeat; a run that has ended is not changed.
 * @returns null if a batch is open: a caller has retried it meanwhile.
 */
export async function finishImport(context: ActivityContext, input: FinishImportInput): Promise<FinishImportResult> {
  const { database } = context;
  const imported = await readImport(database, input.importId);
  const ended = (status: BatchSummary['status']): BatchSummary => ({ ...noResult(), status, suspended: false });
  if (imported?.run !== input.run || imported.deletedAt !== undefined) return ended('cancelled');
  if (isTerminal(imported.status)) {
    await countAfterEnd(context, imported._id, showProgress);
    if (imported.events !== undefined) await announceImport(context, imported._id);
    return { ...ended(imported.status), ...imported.result };
  }
  const { finished, waiting, running } = await sumBatches(database, imported._id, () => undefined, showProgress);
  if (waiting.batches + running.batches > 0) return null;
  const { result, batches } = finished;
  const status = terminalStatus(result.counts, input.cancelled || imported.cancelRequested === true);
  // what is left of uploads that broke off is not needed either; a cancelled import that is sealed may be retried, and cut further
  if (imported.cut.isAtEnd || !imported.sealed) await removeChunksOf(database, imported._id, showProgress);
  if (imported.options.validateOnly) await removeImportKeys(database, imported._id);
  const counted = { ...result, batches };
  const event = await eventToNote(context.subscriptions, imported.scope, endEvent('import', status), {
    status,
    result: counted,
  });
  await context.checkpoint?.('import-counted', imported._id);
  await recordImportFinished(database, imported, status, counted, event);
  // a batch that was retried, and has ended, after its numbers were read does not know that nobody reads them again
  await countAfterEnd(context, imported._id, showProgress);
  if (event !== null) await announceImport(context, imported._id);
  return { ...result, status, suspended: false };
}
