import { bulkStatus } from '../../domain/bulk/bulk-operation.ts';
import { actOnBatches } from '../../services/bulk/act-on-batches.ts';
import { selectBatches } from '../../store/batches/list-batches.ts';
import {
  type BulkOperationDocument,
  type FilteredOperation,
  readBulkOperation,
  readBulkPage,
  recordBulkFinished,
  recordBulkProgress,
  recordBulkStarted,
  recordRecent,
  recordSelected,
  storeBulkPage,
} from '../../store/bulk/bulk-operations.ts';
import { parts } from '../../store/mongodb/parts.ts';
import type { BulkProgress } from '../../workflows/bulk/messages.ts';
import type { ActivityContext } from '../activity-context.ts';
import { controlParts } from '../control/control-parts.ts';
import { showProgress } from '../control/show-progress.ts';

/** Ids of batches in a page: some 40 kB. */
const IDS_PER_PAGE = 1_000;
/** Batches that are worked on before their outcomes are noted. */
const PER_SLICE = 20;
/** Time after which an activity takes up nothing new, in ms: others have its place then, the workflow shows what it has done, and calls it again. */
const PORTION_MS = 3_000;

/**
 * Goes on with a bulk operation: first all batches that fit its filter are selected, and their ids stored page by page; then comes the turn of one slice of them after the other. Memory does not grow with their
 * number. Safe to repeat at any step: pages and places are noted once.
 */
export async function runBulkOperation(
  context: ActivityContext,
  { bulkId }: { readonly bulkId: string },
): Promise<BulkProgress> {
  const { database } = context;
  const until = Date.now() + PORTION_MS;
  let operation = await recordBulkStarted(database, bulkId);
  // a slice that an attempt before this one had begun may be done in part
  let isRepeated = true;
  while (operation !== null && operation.completedAt === undefined && Date.now() < until) {
    showProgress();
    if (operation.verb === 'undo') throw new Error('the undo of an import has a workflow of its own');
    if (operation.cancelRequested) await recordBulkFinished(database, bulkId, 'cancelled');
    else if (operation.recent !== undefined) await storeRecent(context, bulkId, operation.recent);
    else if (operation.selected !== null) await selectPage(context, operation, operation.selected.after);
    else if (operation.place.page < operation.pages) {
      await runSlice(context, operation, isRepeated);
      isRepeated = false;
    } else await recordBulkFinished(database, bulkId, bulkStatus(operation));
    operation = await readBulkOperation(database, bulkId);
  }
  const now = operation ?? (await readBulkOperation(database, bulkId));
  return now === null ? { isOver: true, matched: 0, done: 0, skipped: 0, failed: {} } : progressOf(now);
}

/** What the workflow learns of an operation. */
export const progressOf = ({ completedAt, matched, done, skipped, failed }: BulkOperationDocument): BulkProgress => ({
  isOver: completedAt !== undefined,
  matched,
  done,
  skipped,
  failed,
});

/** The batches that the request has selected itself. */
async function storeRecent({ database }: ActivityContext, id: string, recent: readonly string[]): Promise<void> {
  let pages = 0;
  for (const ids of parts(recent, IDS_PER_PAGE)) {
    await storeBulkPage(database, id, pages, { ids, next: null });
    pages += 1;
  }
  await recordRecent(database, id, pages);
}

async function selectPage(
  { database }: ActivityContext,
  operation: BulkOperationDocument,
  after: string | null,
): Promise<void> {
  const { _id, scopes, filter, pages } = operation;
  const found = await selectBatches(database, scopes, filter, after);
  const page = found.ids.length === 0 ? found : await storeBulkPage(database, _id, pages, found);
  await recordSelected(database, operation, page);
}

async function runSlice(context: ActivityContext, operation: FilteredOperation, isRepeated: boolean): Promise<void> {
  const { database } = context;
  const acting = controlParts(context);
  const { _id, place } = operation;
  const ids = (await readBulkPage(database, _id, place.page)) ?? [];
  const slice = ids.slice(place.offset, place.offset + PER_SLICE);
  await context.checkpoint?.('bulk-slice', _id);
  const counts = await actOnBatches(acting, operation, slice, isRepeated);
  await context.checkpoint?.('bulk-acted', _id);
  await acting.confirmations.flush();
  const offset = place.offset + slice.length;
  const next = offset < ids.length ? { page: place.page, offset } : { page: place.page + 1, offset: 0 };
  await recordBulkProgress(database, operation, next, counts);
}
