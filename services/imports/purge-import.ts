import type { Client } from '@temporalio/client';
import { markBatchesOfImport } from '../../store/imports/import-batches.ts';
import { removeContent } from '../../store/imports/import-content.ts';
import { removeImportKeys } from '../../store/imports/import-keys.ts';
import { type ImportDocument, removeImport } from '../../store/imports/imports.ts';
import { removePagesOfNone } from '../../store/items/item-pages.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { importWorkflowId } from '../../workflows/imports/messages.ts';
import { deleteExecutionsOf } from '../batches/purge-batch.ts';
import { latestExecutionOf } from '../batches/start-batch.ts';
import { isBeforeStart } from '../batches/start-time.ts';
import { makeImportMessages } from '../webhooks/make-messages.ts';
import { signalControl } from './control-import.ts';

/** Time after a deletion in which an attempt of an activity may still insert a batch of the import, or a sender content, in ms. */
const LATE_MS = 10 * 60 * 1000;

/**
 * Removes what there is of an import that is marked as deleted: its batches are marked, and removed like others; then its content, its
 * executions, and at last the import itself: so a crash in between leaves what is needed to continue. Safe to repeat, and to run twice at once.
 * @returns false if it has to be tried again: its workflow or one of its batches is still there, or something may still land.
 */
export async function purgeImport(
  parts: { readonly database: Database; readonly client: Client },
  imported: ImportDocument,
  lateMs = LATE_MS,
): Promise<boolean> {
  const { database, client } = parts;
  const { _id, next, deletedAt } = imported;
  const workflowId = importWorkflowId(_id);
  const execution = await latestExecutionOf(client, workflowId);
  if (execution?.isOpen) {
    if (execution.isPaused || isBeforeStart(imported))
      await client.workflow.getHandle(workflowId).terminate('its import was deleted');
    else await signalControl(parts, _id);
  }
  const batches = await markBatchesOfImport(database, _id);
  await removeContent(database, _id);
  await removeImportKeys(database, _id);
  if (execution?.isOpen || batches > 0) return false;
  // the process that has ended it may have died before it told anybody; recovery finds the messages
  if (imported.events !== undefined) await makeImportMessages(database, imported);
  await deleteExecutionsOf(client, workflowId);
  // a batch that is inserted late finds the import still there, and is marked by the next pass
  if (Date.now() - (deletedAt?.getTime() ?? 0) < lateMs) return false;
  if (next !== undefined) await removePagesOfNone(database, next.batchId);
  await removeImport(database, _id);
  return true;
}
