import { v7 as uuidv7 } from 'uuid';
import { saidOf } from '../domain/batch/about.ts';
import { isTerminal } from '../domain/batch/batch.ts';
import { waitsForImport } from '../domain/imports/import.ts';
import { startBatch } from '../services/batches/start-batch.ts';
import { instructionOf } from '../services/imports/instruction.ts';
import { retryOfImport } from '../services/imports/retry-batches.ts';
import type { ReadRow } from '../services/imports/rows/read-rows.ts';
import { batchTargetOf, rowItem } from '../services/imports/rows/row-items.ts';
import { insertBatch } from '../store/batches/batches.ts';
import { confirmStarts } from '../store/batches/to-recover.ts';
import { isOpenBatch, markBatchesOfImport, wholeImportBatches } from '../store/imports/import-batches.ts';
import {
  type ImportDocument,
  type NextBatch,
  readImport,
  recordCut,
  recordNextBatch,
} from '../store/imports/imports.ts';
import { itemKey } from '../store/items/item-keys.ts';
import { fittingPageSize, type NewItem, writeSamePages } from '../store/items/item-pages.ts';
import type { CutImportInput, CutImportResult } from '../workflows/imports/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { showProgress } from './control/show-progress.ts';
import { withCsvFormat } from './imports/csv-format.ts';
import { freeContent } from './imports/free-content.ts';
import { nextRows, notedRows } from './imports/next-rows.ts';
import { hasNotedKeys, withNotedKeys } from './imports/note-keys.ts';

/**
 * Cuts content of an import into its next batches, stores and starts them; in a retry, first runs the unsuccessful items of finished batches again.
 * Invariant 1: what a batch has is noted before it is written, so that whoever repeats this writes the same batch; the import
 * passes a number once, after its batch is inserted; and a batch that is inserted is started here, by the next attempt, or by recovery.
 * @returns null if there is no such run (any more).
 */
export async function cutImport(context: ActivityContext, input: CutImportInput): Promise<CutImportResult | null> {
  const { database } = context;
  let imported = await runOf(context, input);
  if (imported === null) return null;
  const retried =
    input.retryFrom === null ? null : await retryOfImport(context, input.importId, input.retryFrom, input.room);
  imported = await withNotedKeys(context, imported);
  let room = input.room - (retried?.count ?? 0);
  let hasFew = false;
  // batches that an earlier attempt has cut are started, too
  room -= imported.cut.number - input.from;
  while (room > 0 && isCuttable(imported) && !isEarly(imported) && !(retried && retried.next !== null)) {
    const result = await cutNext(context, imported, input.takesFew && room === input.room);
    if (result !== 'cut') {
      hasFew = result === 'few';
      break;
    }
    room -= 1;
    const after: ImportDocument | null = await runOf(context, input);
    if (after === null) return deletedMeanwhile(context, input);
    imported = after;
  }
  const now = (await readImport(database, input.importId)) ?? imported;
  await freeContent(database, now);
  return {
    batches: await startFrom(context, input),
    retryFrom: retried?.next ?? null,
    hasRetried: retried !== null && retried.count > 0,
    hasFew,
    isAtEnd: now.cut.isAtEnd,
    sealed: now.sealed,
    rowsRead: now.cut.rows,
    bytesRead: now.cut.bytes,
    received: now.received,
    ...(now.sealed && !now.suspended && !now.cancelRequested && !hasNotedKeys(now) && { hasMore: true }),
    ...waitOf(now),
  };
}

/** Nothing of a deleted import begins: a batch that was inserted after the deletion had marked the others is marked, too. */
async function deletedMeanwhile({ database }: ActivityContext, { importId }: CutImportInput): Promise<null> {
  if ((await readImport(database, importId))?.deletedAt !== undefined) await markBatchesOfImport(database, importId);
  return null;
}

async function runOf({ database }: ActivityContext, { importId, run }: CutImportInput): Promise<ImportDocument | null> {
  const imported = await readImport(database, importId);
  const isThere = imported?.run === run && !isTerminal(imported.status) && imported.deletedAt === undefined;
  return isThere ? imported : null;
}

const isCuttable = (imported: ImportDocument): boolean =>
  !imported.cut.isAtEnd && !imported.suspended && !imported.cancelRequested && hasNotedKeys(imported);

/** How much earlier than `maxPerSecond` says a batch may be cut, in ms: so several are cut at a time where the rate is high. */
const EARLIER_MS = 250;

/** Whether the next batch is to be cut later, by `maxPerSecond`. */
const isEarly = ({ notBefore, cut }: ImportDocument): boolean =>
  !cut.isAtEnd && notBefore !== undefined && notBefore.getTime() > Date.now() + EARLIER_MS;

/**
 * When the next batch is to be cut: for the workflow as a time to wait, because its clock may be behind or ahead of this one; one of an earlier build
 * waits for the time itself.
 */
function waitOf(imported: ImportDocument): Pick<CutImportResult, 'notBefore' | 'waitMs'> {
  if (!isEarly(imported) || imported.notBefore === undefined) return {};
  const notBefore = imported.notBefore.getTime();
  return { notBefore, waitMs: notBefore - Date.now() };
}

/** When the batch after one of so many rows may be cut. */
function nextTurn({ options, notBefore }: ImportDocument, rows: number): Date | undefined {
  const { maxPerSecond } = options;
  if (maxPerSecond === undefined) return undefined;
  return new Date(Math.max(Date.now(), notBefore?.getTime() ?? 0) + (rows / maxPerSecond) * 1000);
}

/**
 * Cuts the next batch. @returns `few` if there are fewer rows than a full batch has, and more may come; `nothing` if there are none.
 */
async function cutNext(
  context: ActivityContext,
  found: ImportDocument,
  takesFew: boolean,
): Promise<'cut' | 'few' | 'nothing'> {
  const { database } = context;
  const imported = await withCsvFormat(context, found);
  if (imported === null) return 'nothing';
  const { _id, cut } = imported;
  if (imported.next?.number === cut.number) {
    await storeBatch(context, imported, imported.next, await notedRows(database, imported, imported.next));
    return 'cut';
  }
  const { rows, read, isShort, after, group } = await nextRows(context, imported);
  if (rows.length === 0) {
    // an end without rows has no batch
    if (after.isAtEnd) await recordCut(database, _id, cut.number, after);
    return 'nothing';
  }
  if (isShort && !takesFew) return 'few';
  const createdAt = new Date();
  const batchId = uuidv7({ msecs: createdAt.getTime() });
  const next: NextBatch = { number: cut.number, batchId, createdAt, rows: read, after, ...(group && { group }) };
  const now = await recordNextBatch(database, imported, next, nextTurn(imported, rows.length));
  // another attempt has noted other rows, or has passed the number, or a caller has removed a part: this one goes by that
  if (now?.next?.batchId === batchId) await storeBatch(context, imported, next, rows);
  return 'cut';
}

async function storeBatch(
  { database, checkpoint }: ActivityContext,
  imported: ImportDocument,
  { batchId: _id, number, createdAt, after, group }: NextBatch,
  rows: readonly ReadRow[],
): Promise<void> {
  const { schemaDefinitionId, schemaName, target } = batchTargetOf(imported, group);
  const items: NewItem[] = rows.map((row) => rowItem(row, target));
  const pageSize = fittingPageSize(items);
  await checkpoint?.('cut-noted', _id);
  const { platform, tenant, options, label, createdBy, isForAll } = imported;
  const keyOf = (externalId: string) => itemKey({ platform, tenant }, externalId);
  await writeSamePages(database, { batchId: _id, keyOf }, items, pageSize);
  showProgress();
  await insertBatch(database, {
    ...instructionOf(options),
    _id,
    scope: { platform, tenant },
    schemaDefinitionId,
    schemaName,
    total: items.length,
    pageSize,
    createdAt,
    ...saidOf({ label, createdBy, isForAll }),
    importId: imported._id,
    importNumber: number,
    importPriority: options.priority,
    ...(waitsForImport(options) && { waitsForImport: true }),
    ...(options.validateOnly && { validateOnly: true }),
  });
  await checkpoint?.('cut-inserted', _id);
  await recordCut(database, imported._id, number, after);
}

/** The batches that the workflow does not know yet: those that are not started are started. */
async function startFrom(
  context: ActivityContext,
  { importId, from, room }: CutImportInput,
): Promise<CutImportResult['batches']> {
  const { database } = context;
  const batches = await wholeImportBatches(database, importId, from, room);
  const unstarted = batches.filter((batch) => batch.unstarted && isOpenBatch(batch));
  for (const batch of unstarted) {
    showProgress();
    await startBatch(context, batch);
  }
  await confirmStarts(database, unstarted);
  return batches.map(({ importNumber = 0, total }) => ({ number: importNumber, total }));
}
