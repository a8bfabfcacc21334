import type { Collection } from 'mongodb';
import type { BatchResult } from '../../domain/batch/batch.ts';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { COUNT_LIMIT, type Total, totalOf } from '../../domain/batch/total.ts';
import type { BulkCounts, BulkPlace, BulkStatus, BulkVerb, ImportUndo } from '../../domain/bulk/bulk-operation.ts';
import type { BatchFilter } from '../batches/list-batches.ts';
import type { Database } from '../mongodb/database.ts';
import { isDuplicateKey } from '../mongodb/errors.ts';
import { findWithRetries, isRecentId } from '../mongodb/recent-documents.ts';

/** What every bulk operation has. */
interface StoredOperation {
  /** UUID version 7. */
  _id: string;
  /** `platform/tenant`, escaped: whose it is. */
  scope: string;
  /** Whose batches it is about. */
  scopes: Scope[];
  /** As it was asked, for callers; and with ids and numbers. */
  asked: Record<string, unknown>;
  filter: BatchFilter;
  createdBy?: string;
  status: BulkStatus;
  /** Batches that are matched so far: all of them, once they are selected. */
  matched: number;
  /**
   * Ids of batches that were accepted not long before the request, by the clock of any process, and fitted then: they are selected by the request itself. Gone once
   * they are the first pages.
   */
  recent?: string[];
  /** How far the older ones are selected: the last one that was looked at; null once all are. */
  selected: { after: string | null } | null;
  /** The pages of ids. */
  pages: number;
  /** The next batch whose turn comes, and how many came before it. */
  place: BulkPlace;
  done: number;
  skipped: number;
  failed: Record<string, number>;
  /** Of the undo of an import, at its end: what became of the items of its undos. */
  items?: Pick<BatchResult, 'counts' | 'actions'>;
  /** Nothing more of it begins. */
  cancelRequested?: true;
  /** The start of its workflow is not confirmed: recovery starts it from `startDue` on. */
  unstarted?: true;
  startDue?: Date;
  createdAt: Date;
  startedAt?: Date;
  completedAt?: Date;
}

/** Undoes the batches of an import, one after the other. */
export type ImportUndoDocument = StoredOperation & { verb: 'undo'; undo: ImportUndo };
/** One thing that is done with all batches that fit a filter. */
export type FilteredOperation = StoredOperation & { verb: BulkVerb; undo?: never };
export type BulkOperationDocument = FilteredOperation | ImportUndoDocument;

/** Ids of batches, in order, and where the search for more goes on. */
interface BulkPage {
  ids: string[];
  next: string | null;
}
type BulkPageDocument = BulkPage & { _id: string };

/** The collection `bulk_operations`. */
const operationsIn = (database: Database): Collection<BulkOperationDocument> => database.collection('bulk_operations');
/** The collection `bulk_pages`. */
const pagesIn = (database: Database): Collection<BulkPageDocument> => database.collection('bulk_pages');

/** What callers do not see: the ids that a request has selected may be megabytes. */
const FOR_CALLERS = { projection: { recent: 0, filter: 0 } } as const;
/** What recovery needs of each. */
const FOR_RECOVERY = { projection: { verb: 1, scope: 1, pages: 1, unstarted: 1 } } as const;
/** An operation as recovery reads it. */
export type RecoveredOperation = Pick<BulkOperationDocument, '_id' | 'verb' | 'scope' | 'pages' | 'unstarted'>;

const RUNNING: { $in: BulkStatus[] } = { $in: ['queued', 'processing'] };
const pageId = (id: string, page: number): string => `${id}/${page}`;

/** The moment of acceptance. */
export async function insertBulkOperation(database: Database, operation: BulkOperationDocument): Promise<void> {
  await operationsIn(database).insertOne(operation);
}

/** A bulk operation of this tenant; one of another tenant is not found (invariant 6). */
export async function findBulkOperation(
  database: Database,
  scope: Scope,
  id: string,
): Promise<BulkOperationDocument | null> {
  const find = () => operationsIn(database).findOne({ _id: id, scope: scopeKey(scope) }, FOR_CALLERS);
  return (await find()) ?? (database.isReplicated() && isRecentId(id) ? findWithRetries(find) : null);
}

/** One page of the bulk operations of a tenant, newest first. @param after id of the last one of the page before. */
export async function listBulkOperations(
  database: Database,
  scope: Scope,
  page: { readonly after: string | null; readonly limit: number },
): Promise<{ operations: BulkOperationDocument[]; total: Total; next: string | null }> {
  const query = { scope: scopeKey(scope) };
  const [found, counted] = await Promise.all([
    operationsIn(database)
      .find({ ...query, ...(page.after !== null && { _id: { $lt: page.after } }) }, { projection: { recent: 0 } })
      .sort({ _id: -1 })
      .limit(page.limit + 1)
      .toArray(),
    operationsIn(database).countDocuments(query, { limit: COUNT_LIMIT }),
  ]);
  const operations = found.slice(0, page.limit);
  const next = found.length > page.limit ? (operations.at(-1)?._id ?? null) : null;
  return { operations, total: totalOf(counted), next };
}

export async function readBulkOperation(database: Database, id: string): Promise<BulkOperationDocument | null> {
  return operationsIn(database).findOne({ _id: id });
}

/** How many bulk operations of a tenant run, up to a number. */
export async function countRunningBulk(database: Database, scope: Scope, limit: number): Promise<number> {
  return operationsIn(database).countDocuments({ scope: scopeKey(scope), status: RUNNING }, { limit });
}

/** Notes that its workflow is at work. */
export async function recordBulkStarted(database: Database, id: string): Promise<BulkOperationDocument | null> {
  return operationsIn(database).findOneAndUpdate(
    { _id: id, status: RUNNING },
    { $set: { status: 'processing' }, $min: { startedAt: new Date() }, $unset: { unstarted: '', startDue: '' } },
    { returnDocument: 'after' },
  );
}

/** Stores the next page of matched ids. Of two attempts that select it, the first one's page holds. */
export async function storeBulkPage(database: Database, id: string, page: number, found: BulkPage): Promise<BulkPage> {
  try {
    await pagesIn(database).insertOne({ _id: pageId(id, page), ...found });
    return found;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return (await pagesIn(database).findOne({ _id: pageId(id, page) })) ?? found;
}

/** The recent batches are the first pages. */
export async function recordRecent(database: Database, id: string, pages: number): Promise<void> {
  await operationsIn(database).updateOne(
    { _id: id, recent: { $exists: true } },
    { $set: { pages }, $unset: { recent: '' } },
  );
}

/** Notes a step of the selection, whose page, if it has found any, is stored. Each step is noted once. */
export async function recordSelected(
  database: Database,
  { _id, pages, selected }: Pick<BulkOperationDocument, '_id' | 'pages' | 'selected'>,
  { ids, next }: BulkPage,
): Promise<void> {
  await operationsIn(database).updateOne(
    { _id, pages, selected: { $ne: null }, 'selected.after': selected?.after ?? null },
    {
      $set: { pages: pages + (ids.length > 0 ? 1 : 0), selected: next === null ? null : { after: next } },
      $inc: { matched: ids.length },
    },
  );
}

export async function readBulkPage(database: Database, id: string, page: number): Promise<string[] | null> {
  return (await pagesIn(database).findOne({ _id: pageId(id, page) }))?.ids ?? null;
}

/** Notes what became of the batches between two places. It is noted once, however often they are worked on. */
export async function recordBulkProgress(
  database: Database,
  { _id, place }: Pick<BulkOperationDocument, '_id' | 'place'>,
  next: BulkPlace,
  { done, skipped, failed }: BulkCounts,
): Promise<void> {
  const byCode = Object.fromEntries(Object.entries(failed).map(([code, count]) => [`failed.${code}`, count]));
  await operationsIn(database).updateOne(
    { _id, 'place.page': place.page, 'place.offset': place.offset },
    { $set: { place: next }, $inc: { done, skipped, ...byCode } },
  );
}

/** Stores the end; the first one stays. @param notFound batches that were removed before their turn. */
export async function recordBulkFinished(
  database: Database,
  id: string,
  status: BulkStatus,
  items?: BulkOperationDocument['items'],
  notFound = 0,
): Promise<void> {
  await operationsIn(database).updateOne(
    { _id: id, status: RUNNING },
    {
      $set: { status, completedAt: new Date(), ...(items && { items }) },
      $unset: { unstarted: '', startDue: '' },
      ...(notFound > 0 && { $inc: { 'failed.not_found': notFound } }),
    },
  );
}

/** Nothing more of it begins from here on. @returns null if it is over. */
export async function requestBulkCancel(database: Database, id: string): Promise<BulkOperationDocument | null> {
  return operationsIn(database).findOneAndUpdate(
    { _id: id, status: RUNNING },
    { $set: { cancelRequested: true } },
    { returnDocument: 'after' },
  );
}

/** A bulk operation that was stored and is not to be: nothing has begun of it. */
export async function withdrawBulkOperation(database: Database, id: string): Promise<void> {
  await operationsIn(database).deleteOne({ _id: id, status: 'queued' });
}

/** The import says that it is undone: its batches have their turns from now on. */
export async function recordUndoClaimed(database: Database, id: string, matched: number): Promise<void> {
  await operationsIn(database).updateOne(
    { _id: id, 'undo.isClaimed': false },
    { $set: { 'undo.isClaimed': true, matched } },
  );
}

/** Notes that an undo is about to run again, before it does. */
export async function recordAwaited(
  database: Database,
  operation: Pick<ImportUndoDocument, '_id' | 'undo'>,
  awaited: NonNullable<ImportUndo['awaited']>,
): Promise<void> {
  await operationsIn(database).updateOne(inTurn(operation), { $set: { 'undo.awaited': awaited } });
}

/** The turn of a batch is over. Noted once, however often its undo is read. */
export async function recordTurn(
  database: Database,
  operation: Pick<ImportUndoDocument, '_id' | 'undo'>,
  { at, left, reverted }: { readonly at: number; readonly left: number; readonly reverted: number },
  { done, skipped, failed }: BulkCounts,
): Promise<void> {
  const byCode = Object.fromEntries(Object.entries(failed).map(([code, count]) => [`failed.${code}`, count]));
  await operationsIn(database).updateOne(inTurn(operation), {
    $set: { 'undo.at': at },
    $unset: { 'undo.awaited': '' },
    $inc: { 'undo.left': left, 'undo.reverted': reverted, done, skipped, ...byCode },
  });
}

/** Begins the next pass over the batches of an import. */
export async function recordNextPass(
  database: Database,
  operation: Pick<ImportUndoDocument, '_id' | 'undo'>,
): Promise<void> {
  await operationsIn(database).updateOne(inTurn(operation), {
    $set: { 'undo.at': null, 'undo.left': 0, 'undo.reverted': 0 },
    $inc: { 'undo.pass': 1 },
  });
}

const inTurn = ({ _id, undo }: Pick<ImportUndoDocument, '_id' | 'undo'>) => ({
  _id,
  'undo.pass': undo.pass,
  'undo.at': undo.at,
});

/** Bulk operations whose start is not confirmed and was due by `asOf`. */
export async function unstartedBulkOperations(
  database: Database,
  asOf: Date,
  limit: number,
): Promise<RecoveredOperation[]> {
  return operationsIn(database)
    .find({ unstarted: true, startDue: { $lte: asOf } }, FOR_RECOVERY)
    .sort({ startDue: 1 })
    .limit(limit)
    .toArray();
}

/** The workflow is started. Safe to repeat, and to lose. */
export async function confirmBulkStart(database: Database, id: string): Promise<void> {
  await operationsIn(database).updateOne({ _id: id }, { $unset: { unstarted: '', startDue: '' } });
}

/** Bulk operations that run according to the store, in order of their ids. */
export async function runningBulkOperations(
  database: Database,
  after: string,
  limit: number,
): Promise<RecoveredOperation[]> {
  return operationsIn(database)
    .find({ status: RUNNING, _id: { $gt: after } }, FOR_RECOVERY)
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
}

/** Bulk operations that were completed before `before`. */
export async function oldBulkOperations(
  database: Database,
  before: Date,
  limit: number,
): Promise<RecoveredOperation[]> {
  return operationsIn(database)
    .find({ completedAt: { $lt: before } }, FOR_RECOVERY)
    .limit(limit)
    .toArray();
}

/** Removes a bulk operation with its pages, the operation itself last. */
export async function removeBulkOperation(
  database: Database,
  { _id, pages }: Pick<BulkOperationDocument, '_id' | 'pages'>,
): Promise<void> {
  for (let page = 0; page <= pages; page++) await pagesIn(database).deleteOne({ _id: pageId(_id, page) });
  await operationsIn(database).deleteOne({ _id });
}
