import { randomUUID } from 'node:crypto';
import type { Collection, Filter, UpdateFilter } from 'mongodb';
import {
  type BatchResult,
  type BatchStatus,
  RUNNING_STATUSES,
  type RunningState,
  type TerminalStatus,
} from '../../domain/batch/batch.ts';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { COUNT_LIMIT, type Total, totalOf } from '../../domain/batch/total.ts';
import type { CsvFormat, CsvOptions } from '../../domain/imports/csv.ts';
import {
  type CutState,
  type ImportFormat,
  type ImportOptions,
  NOTHING_CUT,
  type Place,
  type UnappliedCycles,
} from '../../domain/imports/import.ts';
import type { RowGroup } from '../../domain/imports/row-group.ts';
import type { SummedBatches } from '../../domain/imports/sum.ts';
import { type NotedEvent, noted, noting, type WithEvents } from '../../domain/webhooks/noted-event.ts';
import type { Database } from '../mongodb/database.ts';
import { findWithRetries, isRecentId } from '../mongodb/recent-documents.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';

/** The next batch of an import, noted before anything of it is written: a cut that is repeated makes the same batch of the same rows. */
export interface NextBatch {
  /** Number of the batch. */
  number: number;
  batchId: string;
  createdAt: Date;
  /** How many rows are read for it: they are its own, or those of its group are. */
  rows: number;
  /** Where rows name their schema definitions. */
  group?: RowGroup;
  /** The state when they are cut. */
  after: CutState;
}

/** One import. */
export interface ImportDocument extends WithEvents {
  /** UUID version 7, so that ids are in order of creation. */
  _id: string;
  /** `platform/tenant`, escaped. */
  scope: string;
  platform: string;
  tenant: string;
  /** The schema definition of all rows; absent: each row names its own. */
  schemaDefinitionId?: string;
  schemaName?: string;
  externalIdField?: string;
  options: ImportOptions;
  format: ImportFormat;
  /** Of CSV: what the request says about the file, and how its rows are read, noted when its header is there. */
  csvOptions?: CsvOptions;
  csv?: CsvFormat;
  /** See `AboutBatch`; its priority is one of its options. */
  label?: string;
  isForAll?: true;
  startAt?: Date;
  createdBy?: string;
  /** Its content comes in one request, whose upload has this id, or in parts. */
  upload?: string;
  /** Bytes of content that are stored. */
  received: number;
  /** All content is stored: so many parts. */
  sealed: boolean;
  parts?: number;
  /** Uploads of parts that were removed: whoever still finds their records takes them for none. */
  removedUploads?: string[];
  /** When an import that is not sealed is given up; absent once it is. */
  sealDue?: Date;
  /** Why its content will never be complete: it is cancelled. */
  brokenOff?: string;
  cut: CutState;
  next?: NextBatch;
  /** With `maxPerSecond`: the next batch is cut at this time, at the earliest. */
  notBefore?: Date;
  /** With `validateOnly`: how far the resources that its rows would create are noted, before any row is cut. */
  noted?: Place & { line: number; isAtEnd: boolean };
  /** Chunks of content before this one are removed. */
  freed?: { part: number; chunk: number };
  status: BatchStatus;
  suspended: boolean;
  cancelRequested?: boolean;
  /** The latest control request, and whether it is known to be delivered to the workflow. */
  asked?: { token: string; told: boolean };
  /** 1 for the first run, one more for each retry. */
  run: number;
  /** The start of this run's workflow is not confirmed: recovery starts it from `startDue` on. */
  unstarted?: true;
  startDue?: Date;
  createdAt: Date;
  startedAt?: Date;
  completedAt?: Date;
  /** The sum of its batches, and how many are not finished, as its workflow has read it last: lists of imports do not read all batches. */
  sum?: SummedBatches & { open: number };
  /** What the end of the rows that wait has left out, in this run. */
  unappliedCycles?: UnappliedCycles;
  /** The end result, stored when a run finished. */
  result?: BatchResult & { batches: number };
  /** The bulk operation that undoes it. */
  undoneBy?: string;
  /** Set when it is to be removed for good: for callers it does not exist any more. */
  deletedAt?: Date;
}

/** The collection `imports`. */
export const importsIn = (database: Database): Collection<ImportDocument> => database.collection('imports');

/** Every import. */
export const scanImports = (database: Database): Scan<ImportDocument> => scanOf(importsIn(database), { events: 0 }, 20);

const RUNNING = { $in: [...RUNNING_STATUSES] };
export const NOT_DELETED = { deletedAt: { $exists: false } } as const;

/** Time in which the process that stores an import starts its workflow; after that recovery does, in ms. */
const START_GRACE_MS = 5_000;
const toBeStarted = () => ({ unstarted: true as const, startDue: new Date(Date.now() + START_GRACE_MS) });

/** An import to be stored. */
export interface NewImport
  extends Pick<
    ImportDocument,
    | '_id'
    | 'format'
    | 'csvOptions'
    | 'schemaDefinitionId'
    | 'schemaName'
    | 'externalIdField'
    | 'options'
    | 'upload'
    | 'label'
    | 'isForAll'
    | 'startAt'
    | 'createdBy'
  > {
  readonly scope: Scope;
  readonly createdAt: Date;
  readonly sealDue: Date;
}

/** The moment of acceptance of an import that comes in parts; of one that comes in one request, its seal is. */
export async function insertImport(database: Database, { scope, ...about }: NewImport): Promise<ImportDocument> {
  const document: ImportDocument = {
    ...about,
    scope: scopeKey(scope),
    platform: scope.platform,
    tenant: scope.tenant,
    received: 0,
    sealed: false,
    cut: NOTHING_CUT,
    status: 'queued',
    suspended: false,
    run: 1,
    ...toBeStarted(),
  };
  await importsIn(database).insertOne(document);
  return document;
}

/** An import of this tenant; one of another tenant is not found (invariant 6), nor is a deleted one. */
export async function findImport(database: Database, scope: Scope, importId: string): Promise<ImportDocument | null> {
  const find = () => importsIn(database).findOne({ _id: importId, scope: scopeKey(scope), ...NOT_DELETED });
  return (await find()) ?? (database.isReplicated() && isRecentId(importId) ? findWithRetries(find) : null);
}

/** An import by its id alone, deleted ones too, for the workflow that runs it. */
export async function readImport(database: Database, importId: string): Promise<ImportDocument | null> {
  return importsIn(database).findOne({ _id: importId });
}

const change = (
  database: Database,
  filter: Filter<ImportDocument>,
  update: UpdateFilter<ImportDocument>,
): Promise<ImportDocument | null> => importsIn(database).findOneAndUpdate(filter, update, { returnDocument: 'after' });

/** Notes how the rows of a file of CSV are read, and the place of the first one: once, so that the same row always gives the same resource. */
export async function recordCsvFormat(
  database: Database,
  importId: string,
  csv: CsvFormat,
  cut: CutState,
): Promise<ImportDocument | null> {
  await importsIn(database).updateOne({ _id: importId, csv: { $exists: false } }, { $set: { csv, cut } });
  return readImport(database, importId);
}

/** Notes content that was stored, and that its sender is still there. Of numbers that land late the largest stays. */
export async function recordReceived(
  database: Database,
  importId: string,
  received: number,
  sealDue: Date,
): Promise<ImportDocument | null> {
  return change(database, { _id: importId, sealed: false }, { $max: { received, sealDue } });
}

/** Adds the bytes of a part whose record was inserted just now; the seal counts all of them again. */
export async function addReceived(database: Database, importId: string, bytes: number): Promise<void> {
  await importsIn(database).updateOne({ _id: importId, sealed: false }, { $inc: { received: bytes } });
}

const OPEN = { sealed: false, status: RUNNING, cancelRequested: { $ne: true }, ...NOT_DELETED } as const;

/** Matches an import of which no part was removed since it was read: what was read of its parts is still so. */
const noneRemovedSince = ({ removedUploads }: Pick<ImportDocument, 'removedUploads'>): Filter<ImportDocument> => ({
  removedUploads: removedUploads ?? { $exists: false },
});

/**
 * All content is stored. The first seal holds. @param read the import as it was before its parts were read.
 * @returns null if it cannot be sealed (any more): it is cancelled, deleted or sealed already, or a part was removed since.
 */
export async function sealImport(
  database: Database,
  read: Pick<ImportDocument, '_id' | 'removedUploads'>,
  { parts, received }: { readonly parts: number; readonly received: number },
): Promise<ImportDocument | null> {
  const open = { _id: read._id, ...OPEN, ...noneRemovedSince(read) };
  return change(database, open, { $set: { sealed: true, parts, received }, $unset: { sealDue: '' } });
}

/**
 * Removes a part of which no row is in a batch, or about to be: from here on its upload counts as never sent. In one write with the condition, and so are
 * the notes of batches (`recordNextBatch`) and the seal: of each two the later one sees the other.
 * @returns null if rows of it are in batches, or the import takes no parts any more.
 */
export async function recordPartRemoved(
  database: Database,
  importId: string,
  { part, upload, bytes }: { readonly part: number; readonly upload: string; readonly bytes: number },
): Promise<ImportDocument | null> {
  const isReached = { $not: { $gte: part } };
  return change(
    database,
    {
      _id: importId,
      ...OPEN,
      removedUploads: { $ne: upload },
      $or: [{ 'cut.part': { $lt: part } }, { 'cut.part': part, 'cut.chunk': 0, 'cut.offset': 0 }],
      'next.after.part': isReached,
      'next.after.split.end.part': isReached,
      'cut.split.end.part': isReached,
    },
    { $push: { removedUploads: upload }, $inc: { received: -bytes } },
  );
}

/** Its content will never be complete: it is cancelled. Without effect on one that is sealed. */
export async function breakOff(database: Database, importId: string, why: string): Promise<ImportDocument | null> {
  return change(
    database,
    { _id: importId, sealed: false, status: RUNNING },
    {
      $set: { brokenOff: why, cancelRequested: true, asked: { token: randomUUID(), told: false } },
      $unset: { sealDue: '' },
    },
  );
}

/** Imports that are not sealed in time. */
export async function overdueImports(database: Database, asOf: Date, limit: number): Promise<ImportDocument[]> {
  return importsIn(database)
    .find({ sealDue: { $lte: asOf } })
    .limit(limit)
    .toArray();
}

/**
 * Notes the next batch, if no attempt has noted it, and no part was removed since the import was read.
 * @returns the import as it is then.
 */
export async function recordNextBatch(
  database: Database,
  read: Pick<ImportDocument, '_id' | 'removedUploads'>,
  next: NextBatch,
  notBefore?: Date,
): Promise<ImportDocument | null> {
  await importsIn(database).updateOne(
    {
      _id: read._id,
      ...noneRemovedSince(read),
      'cut.number': next.number,
      $or: [{ next: { $exists: false } }, { 'next.number': { $lt: next.number } }],
    },
    { $set: { next, ...(notBefore && { notBefore }) } },
  );
  return readImport(database, read._id);
}

/** Notes how far the resources that rows would create are noted. Safe to repeat: they are noted again from there. */
export async function recordNoted(
  database: Database,
  importId: string,
  noted: NonNullable<ImportDocument['noted']>,
): Promise<void> {
  await importsIn(database).updateOne({ _id: importId, 'noted.isAtEnd': { $ne: true } }, { $set: { noted } });
}

/** Notes that the next batch is inserted, or, without one, that the content is at its end. Each number is passed once. */
export async function recordCut(database: Database, importId: string, number: number, after: CutState): Promise<void> {
  await importsIn(database).updateOne({ _id: importId, 'cut.number': number }, { $set: { cut: after } });
}

/** Notes that chunks of content are removed. */
export async function recordFreed(
  database: Database,
  importId: string,
  freed: NonNullable<ImportDocument['freed']>,
): Promise<void> {
  await importsIn(database).updateOne({ _id: importId }, { $set: { freed } });
}

/** Stores a control request, which takes effect even if no workflow runs yet. @returns null if it is finished or does not exist any more. */
export async function requestImportControl(
  database: Database,
  importId: string,
  request: { readonly suspended: boolean } | { readonly cancelRequested: true },
): Promise<ImportDocument | null> {
  return change(
    database,
    { _id: importId, status: RUNNING, ...NOT_DELETED },
    { $set: { ...request, asked: { token: randomUUID(), told: false } } },
  );
}

/** Notes that a control request is delivered; a later one has another token, and stays undelivered. */
export async function recordImportDelivered(
  database: Database,
  { _id, asked }: Pick<ImportDocument, '_id' | 'asked'>,
): Promise<void> {
  await importsIn(database).updateOne({ _id, 'asked.token': asked?.token ?? '' }, { $set: { 'asked.told': true } });
}

/** Imports with a control request that is not known to be delivered. */
export async function undeliveredImports(database: Database, limit: number): Promise<ImportDocument[]> {
  return importsIn(database).find({ 'asked.told': false }).limit(limit).toArray();
}

/** Imports whose start is not confirmed and was due by `asOf`. */
export async function unstartedImports(database: Database, asOf: Date, limit: number): Promise<ImportDocument[]> {
  return importsIn(database)
    .find({ unstarted: true, startDue: { $lte: asOf } })
    .sort({ startDue: 1 })
    .limit(limit)
    .toArray();
}

/** Postpones a start that has failed, so that it does not delay others. */
export async function postponeImportStart(
  database: Database,
  { _id, run }: Pick<ImportDocument, '_id' | 'run'>,
  due: Date,
): Promise<void> {
  await importsIn(database).updateOne({ _id, run, unstarted: true }, { $set: { startDue: due } });
}

/** The workflow of this run is started. Safe to repeat, and to lose: the start is repeated, and finds its workflow. */
export async function confirmImportStart(
  database: Database,
  { _id, run }: Pick<ImportDocument, '_id' | 'run'>,
): Promise<void> {
  await importsIn(database).updateOne({ _id, run }, { $unset: { unstarted: '', startDue: '' } });
}

/** Stores the state of a run; a finished run, or another one, is not changed. */
export async function recordImportRunning(
  database: Database,
  { _id, run }: Pick<ImportDocument, '_id' | 'run'>,
  status: RunningState['status'],
  sum: NonNullable<ImportDocument['sum']>,
): Promise<void> {
  await importsIn(database).updateOne(
    { _id, run, status: RUNNING },
    { $set: { status, sum }, $min: { startedAt: new Date() } },
  );
}

/** Stores the result of a run. Safe to repeat: the first completion stays. */
export async function recordImportFinished(
  database: Database,
  { _id, run }: Pick<ImportDocument, '_id' | 'run'>,
  status: TerminalStatus,
  result: NonNullable<ImportDocument['result']>,
  event: NotedEvent | null,
): Promise<void> {
  await importsIn(database).updateOne(
    { _id, run, status: RUNNING },
    {
      $set: { status, result, suspended: false, completedAt: event?.at ?? new Date(), ...noted(event) },
      $unset: { cancelRequested: '', asked: '', unstarted: '', startDue: '', sealDue: '', sum: '' },
      ...noting(event),
    },
  );
}

/** Notes what the end of the rows that wait leaves out. Safe to repeat: the largest number stays; another run is not changed. */
export async function recordUnappliedCycles(
  database: Database,
  { _id, run }: Pick<ImportDocument, '_id' | 'run'>,
  { isUnsearched, tooLarge = 0 }: UnappliedCycles,
): Promise<void> {
  await importsIn(database).updateOne(
    { _id, run, status: RUNNING },
    {
      $max: { 'unappliedCycles.tooLarge': tooLarge },
      ...(isUnsearched && { $set: { 'unappliedCycles.isUnsearched': isUnsearched } }),
    },
  );
}

/** Imports with events of which no messages were made by `asOf`. */
export async function importsWithEvents(database: Database, asOf: Date, limit: number): Promise<ImportDocument[]> {
  return importsIn(database)
    .find({ hasEvents: true, eventsDue: { $lte: asOf } })
    .limit(limit)
    .toArray();
}

/** The messages of these events are made; an event that was noted since then stays. */
export async function forgetImportEvents(database: Database, { _id, events = [] }: ImportDocument): Promise<void> {
  await importsIn(database).updateOne({ _id }, { $pull: { events: { id: { $in: events.map(({ id }) => id) } } } });
  await importsIn(database).updateOne(
    { _id, events: { $size: 0 } },
    { $unset: { events: '', hasEvents: '', eventsDue: '' } },
  );
}

/** Stores the numbers of a run that has ended after some of its batches were run again on their own; another run is not changed. */
export async function recordImportSummedAnew(
  database: Database,
  { _id, run, status: before }: Pick<ImportDocument, '_id' | 'run' | 'status'>,
  status: TerminalStatus,
  result: NonNullable<ImportDocument['result']>,
): Promise<void> {
  await importsIn(database).updateOne({ _id, run, status: before }, { $set: { status, result } });
}

/** Claims a finished import for another run: one of several callers succeeds. @returns null if it has changed since it was read. */
export async function claimImportRetry(
  database: Database,
  { _id, run, status }: ImportDocument,
): Promise<ImportDocument | null> {
  return change(
    database,
    { _id, run, status, undoneBy: { $exists: false }, ...NOT_DELETED },
    {
      $set: { status: 'queued', run: run + 1, ...toBeStarted() },
      $unset: { completedAt: '', result: '', unappliedCycles: '' },
    },
  );
}

/** From here on the import does not exist for callers. @returns null if another caller has deleted it. */
export async function markImportDeleted(
  database: Database,
  { _id }: Pick<ImportDocument, '_id'>,
): Promise<ImportDocument | null> {
  return change(
    database,
    { _id, ...NOT_DELETED },
    {
      $set: { deletedAt: new Date(), cancelRequested: true },
      $unset: { unstarted: '', startDue: '', sealDue: '', asked: '' },
    },
  );
}

/** Imports that have to be removed for good. */
export async function deletedImports(database: Database, after: string, limit: number): Promise<ImportDocument[]> {
  return importsIn(database)
    .find({ deletedAt: { $exists: true }, _id: { $gt: after } })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
}

/** Last step of removing an import. */
export async function removeImport(database: Database, importId: string): Promise<void> {
  await importsIn(database).deleteOne({ _id: importId });
}

/** Imports that run according to the store, in order of their ids. */
export async function runningImports(database: Database, after: string, limit: number): Promise<ImportDocument[]> {
  return importsIn(database)
    .find({ status: RUNNING, _id: { $gt: after } })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
}

/** Of these batch ids, those that an import has noted as its next batch: their pages are written before the batch. */
export async function nextBatchesAmong(database: Database, batchIds: readonly string[]): Promise<Set<string>> {
  if (batchIds.length === 0) return new Set();
  const found = await importsIn(database)
    .find({ 'next.batchId': { $in: [...batchIds] } }, { projection: { 'next.batchId': 1 } })
    .toArray();
  return new Set(found.flatMap(({ next }) => next?.batchId ?? []));
}

/** One page of the imports of a tenant, newest first. @param after id of the last import of the page before. */
export async function listImports(
  database: Database,
  scope: Scope,
  filter: { readonly status?: BatchStatus; readonly label?: string },
  page: { readonly after: string | null; readonly limit: number },
): Promise<{ imports: ImportDocument[]; total: Total; next: string | null }> {
  const query = { ...filter, scope: scopeKey(scope), ...NOT_DELETED };
  const [found, counted] = await Promise.all([
    importsIn(database)
      .find({ ...query, ...(page.after !== null && { _id: { $lt: page.after } }) })
      .sort({ _id: -1 })
      .limit(page.limit + 1)
      .toArray(),
    importsIn(database).countDocuments(query, { limit: COUNT_LIMIT }),
  ]);
  const imports = found.slice(0, page.limit);
  return { imports, total: totalOf(counted), next: found.length > page.limit ? (imports.at(-1)?._id ?? null) : null };
}
