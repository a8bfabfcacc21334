import { v7 as uuidv7 } from 'uuid';
import { type Instruction, isTerminal, type ResourceBatch } from '../domain/batch/batch.ts';
import { type CutState, UNTIL_END_OF_IMPORT } from '../domain/imports/import.ts';
import type { RowGroup } from '../domain/imports/row-group.ts';
import { MAX_RESOURCES_PER_BATCH } from '../domain/limits.ts';
import { startBatch } from '../services/batches/start-batch.ts';
import { retryOfImport } from '../services/imports/retry-batches.ts';
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
import { fittingPageSize, type NewItem, writeSamePages } from '../store/items/item-pages.ts';
import { SupersededError } from '../store/mongodb/errors.ts';
import type { CutImportInput, CutImportResult } from '../workflows/imports/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { showProgress } from './control/show-progress.ts';
import { withCsvFormat } from './imports/csv-format.ts';
import { freeContent } from './imports/free-content.ts';
import { rowsOfGroup, splitNextRows, withColumns } from './imports/mixed-rows.ts';
import { type ReadRow, readRows } from './imports/read-rows.ts';
import { type RowTarget, rowItem } from './imports/row-items.ts';

/** Bytes of rows from which on a batch takes no further one: as many as a request may have. */
const BATCH_BYTES = 16 * 1024 * 1024;
/** The longest wait that is stored for items that wait until the end of their import, in seconds: 20 days. */
const LONGEST_WAIT_SECONDS = 20 * 86_400;

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
  let room = input.room - (retried?.count ?? 0);
  let hasFew = false;
  // batches that an earlier attempt has cut are started, too
  room -= imported.cut.number - input.from;
  while (room > 0 && isCuttable(imported) && !(retried && retried.next !== null)) {
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

const isCuttable = ({ cut, suspended, cancelRequested }: ImportDocument): boolean =>
  !cut.isAtEnd && !suspended && !cancelRequested;

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
  const now = await recordNextBatch(database, _id, next);
  // another attempt has noted other rows, or has passed the number: this one goes by that
  if (now?.next?.batchId === batchId) await storeBatch(context, imported, next, rows);
  return 'cut';
}

/** The rows of a batch that is noted. */
async function notedRows(
  database: ActivityContext['database'],
  imported: ImportDocument,
  { rows: count, group }: NextBatch,
): Promise<readonly ReadRow[]> {
  const rows = await readAgain(database, imported, count);
  return group === undefined ? rows : rowsOfGroup(rows, group, imported.csv);
}

/** What the next batch is made of. */
interface NextRows {
  readonly rows: readonly ReadRow[];
  /** How many were read to find them. */
  readonly read: number;
  readonly group?: RowGroup;
  /** There are fewer than a full batch has, and more may come. */
  readonly isShort: boolean;
  readonly after: CutState;
}

async function nextRows({ database, schemas }: ActivityContext, imported: ImportDocument): Promise<NextRows> {
  const { cut } = imported;
  if (imported.schemaDefinitionId !== undefined) {
    const { rows, isFull, isAtEnd } = await readRows(database, imported, MAX_RESOURCES_PER_BATCH, BATCH_BYTES);
    const last = rows.at(-1);
    const after = { ...counted(cut, rows), ...(last && { ...last.end, line: last.nextLine }), isAtEnd };
    return { rows, read: rows.length, isShort: !isFull && !isAtEnd, after };
  }
  const {
    split,
    rows: all,
    isShort,
  } = cut.split === undefined
    ? await splitNextRows(database, imported, BATCH_BYTES)
    : { split: cut.split, rows: await readAgain(database, imported, cut.split.rows), isShort: false };
  const [group, ...groups] = split.groups;
  const rows = group === undefined ? [] : rowsOfGroup(all, group, imported.csv);
  const { split: _, ...state } = counted(cut, rows);
  const after = groups.length > 0 ? { ...state, split: { ...split, groups } } : { ...state, ...split.end };
  return {
    rows,
    read: split.rows,
    isShort,
    after,
    ...(group && { group: await withColumns(schemas, imported, group) }),
  };
}

/** Rows that were read before, from the same place. */
async function readAgain(
  database: ActivityContext['database'],
  imported: ImportDocument,
  count: number,
): Promise<readonly ReadRow[]> {
  const { rows } = await readRows(database, imported, count, Number.POSITIVE_INFINITY);
  // content is removed once its rows are batches: a later attempt has passed this number
  if (rows.length < count) throw new SupersededError('a later attempt has cut these rows');
  return rows;
}

/** The state with the rows of one more batch counted. */
const counted = (cut: CutState, rows: readonly ReadRow[]): CutState => ({
  ...cut,
  number: cut.number + (rows.length > 0 ? 1 : 0),
  rows: cut.rows + rows.length,
  bytes: cut.bytes + rows.reduce((sum, row) => sum + row.bytes.length + 1, 0),
});

async function storeBatch(
  { database, checkpoint }: ActivityContext,
  imported: ImportDocument,
  { batchId: _id, number, createdAt, after, group }: NextBatch,
  rows: readonly ReadRow[],
): Promise<void> {
  const { schemaDefinitionId, schemaName, target } = targetOf(imported, group);
  const items: NewItem[] = rows.map((row) => rowItem(row, target));
  const pageSize = fittingPageSize(items);
  await checkpoint?.('cut-noted', _id);
  await writeSamePages(database, _id, items, pageSize);
  showProgress();
  const { platform, tenant, options } = imported;
  await insertBatch(database, {
    ...instructionOf(options),
    _id,
    scope: { platform, tenant },
    schemaDefinitionId,
    schemaName,
    total: items.length,
    pageSize,
    createdAt,
    importId: imported._id,
    importNumber: number,
    importPriority: options.priority,
    ...(options.dependencyWaitTimeout === UNTIL_END_OF_IMPORT &&
      options.operation === 'upload' && { waitsForImport: true }),
  });
  await checkpoint?.('cut-inserted', _id);
  await recordCut(database, imported._id, number, after);
}

/** Of which schema definition a batch is, and how its rows are read. */
function targetOf(
  { csv, options, schemaDefinitionId = '', schemaName = '', externalIdField = '' }: ImportDocument,
  group: RowGroup | undefined,
): Pick<RowGroup, 'schemaDefinitionId' | 'schemaName'> & { readonly target: RowTarget } {
  const isDelete = options.operation === 'delete';
  if (group === undefined) return { schemaDefinitionId, schemaName, target: { csv, externalIdField, isDelete } };
  const isNamed = group.schemaDefinitionId !== '';
  const own = csv && { ...csv, columns: group.columns ?? [] };
  return { ...group, target: { csv: own, externalIdField: group.externalIdField, isDelete, isNamed } };
}

function instructionOf(options: ImportDocument['options']): Instruction<ResourceBatch> {
  const { operation, onconflict, ignoreUnknownFields, dependencyWaitTimeout: wait } = options;
  if (operation === 'delete') return { operation, options: { cascade: options.cascade === true, deleteAll: false } };
  if (operation === 'patch') return { operation, options: { ignoreUnknownFields } };
  const dependencyWaitTimeout = wait === UNTIL_END_OF_IMPORT ? LONGEST_WAIT_SECONDS : wait;
  return { operation, options: { onconflict, ignoreUnknownFields, dependencyWaitTimeout } };
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
