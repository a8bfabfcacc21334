import type { Collection } from 'mongodb';
import type { ItemError } from '../../domain/batch/outcome.ts';
import { parseJson } from '../../domain/json/parse.ts';
import { MAX_RESOURCE_BYTES } from '../../domain/limits.ts';
import type { UndoEntry } from '../../domain/undo/undo-entry.ts';
import { type JsonObject, type ResourceKey, resourceKey } from '../../domain/write/resource.ts';
import type { BatchDocument } from '../batches/batches.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteEach, deleteFound } from '../mongodb/each-by-id.ts';
import { isDuplicateKey } from '../mongodb/errors.ts';
import { parts } from '../mongodb/parts.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';

/**
 * Consecutive items of one batch, as received. Addressed by `_id` alone: item `i` is in page `floor(i / pageSize)`.
 * Bodies are JSON text: every key, number and depth is returned as it was received, whatever field names the server accepts.
 */
export interface ItemPageDocument {
  _id: string;
  /** External id as received, null if there is none, or none that is a string. */
  ids: (string | null)[];
  /** Of a batch of resources: the keys of the external ids, by which `batchesWithItem` finds the page. Pages of earlier versions have none. */
  keys?: number[];
  /** JSON text of each body; '' if the item was refused unread, and absent in a delete. */
  bodies?: string[];
  /** Faults found at acceptance, by offset in the page. */
  faults?: Record<string, readonly ItemError[]>;
  /** Of a batch of an import: the line of each row in the file, and rows that were sent as another text than their body. */
  lines?: number[];
  sent?: Record<string, string>;
  /** Offsets of those among `sent` that are no JSON; absent where it was not noted. */
  texts?: number[];
  /** Of a page of one row whose texts would be larger together than a document may be: what was sent has a document of its own (`sentId`). */
  isSentApart?: true;
  /** Of an undo: what each item takes back. */
  undo?: UndoEntry[];
}

/** The collection `item_pages`. */
export const itemPagesIn = (database: Database): Collection<ItemPageDocument> => database.collection('item_pages');

/** Every page, by its id alone. */
export const scanItemPages = (database: Database): Scan<Pick<ItemPageDocument, '_id'>> =>
  scanOf(itemPagesIn(database), { _id: 1 });

/** Of these pages, those that are stored. */
export async function storedPages(database: Database, ids: readonly string[]): Promise<Set<string>> {
  const stored = new Set<string>();
  for await (const page of scanItemPages(database).again(ids)) for (const { _id } of page) stored.add(_id);
  return stored;
}

/** Removes some pages. Safe to repeat. */
export async function removePages(database: Database, ids: readonly string[]): Promise<void> {
  await deleteEach(itemPagesIn(database), ids);
}

/** One item as received. */
export interface Item {
  readonly index: number;
  readonly externalId: string | null;
  readonly body: JsonObject | null;
  readonly faults: readonly ItemError[];
}

/** One item to be stored. */
export interface NewItem {
  readonly externalId: string | null;
  readonly body?: string;
  readonly faults?: readonly ItemError[];
  /** Of a row of an import: its line in the file, and its text if that is not the body. */
  readonly line?: number;
  readonly sent?: string;
  /** Whether that is JSON. */
  readonly isSentJson?: boolean;
  /** Of an undo. */
  readonly undo?: UndoEntry;
}

/** Largest number of items of an upload or patch in a page. */
export const BODIES_PER_PAGE = 50;
/** Number of ids of a delete in a page. */
export const IDS_PER_PAGE = 1000;
/** Number of ids of executions in a page: small, because a job of one item reads and writes its page. */
export const EXECUTIONS_PER_PAGE = 100;
/** Number of items of an undo in a page: with the longest identities, 2 MB. */
export const UNDONE_PER_PAGE = 500;
/** Largest JSON text in one page of several items, in bytes: as much as one item may have alone. */
const MAX_PAGE_BYTES = MAX_RESOURCE_BYTES;
export const pageId = (batchId: string, page: number): string => `${batchId}/${page}`;
/** Id of the document with what was sent of the only item of a page. */
export const sentId = (page: string): string => `${page}/sent`;

export function pageIds(batchId: string, total: number, pageSize: number): string[] {
  return Array.from({ length: Math.ceil(total / pageSize) }, (_, page) => pageId(batchId, page));
}

/** The pages that contain some items, each once. */
export function pagesWith({ pageSize }: { readonly pageSize: number }, indexes: readonly number[]): number[] {
  return [...new Set(indexes.map((index) => Math.floor(index / pageSize)))];
}

/** The largest page size, halving from the usual one, with which no page exceeds the limit of a document. */
export function fittingPageSize(items: readonly NewItem[]): number {
  for (let size = BODIES_PER_PAGE; size > 1; size = Math.ceil(size / 2)) {
    if (pagesOf(items, size).every(fits)) return size;
  }
  return 1;
}

function pagesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, page) =>
    items.slice(page * size, (page + 1) * size),
  );
}

function fits(items: readonly NewItem[]): boolean {
  const bytesOf = ({ body = '', sent = '' }: NewItem): number => Buffer.byteLength(body) + Buffer.byteLength(sent);
  return items.reduce((sum, item) => sum + bytesOf(item), 0) <= MAX_PAGE_BYTES;
}

/** Writes the pages of a batch whose id and items are noted before: safe to repeat, because each attempt writes the same. */
export async function writeSamePages(
  database: Database,
  batch: PagesOfBatch,
  items: readonly NewItem[],
  pageSize: number,
  firstPage = 0,
): Promise<void> {
  try {
    await writeItemPages(database, batch, items, pageSize, firstPage);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

/** Removes whatever pages there are of a batch that was never inserted. Safe to repeat. */
export async function removePagesOfNone(database: Database, batchId: string): Promise<void> {
  await deleteFound(itemPagesIn(database), { _id: { $gte: `${batchId}/`, $lt: `${batchId}0` } });
}

/** Whose pages are written: `keyOf` gives the keys of external ids, undefined where items are no resources. */
interface PagesOfBatch {
  readonly batchId: string;
  readonly keyOf?: ((externalId: string) => number) | undefined;
}

/** Writes pages from `firstPage` on, of a batch that does not exist yet. */
export async function writeItemPages(
  database: Database,
  { batchId, keyOf }: PagesOfBatch,
  items: readonly NewItem[],
  pageSize: number,
  firstPage = 0,
): Promise<void> {
  const pages = pagesOf(items, pageSize).flatMap((page, at) =>
    toDocuments(pageId(batchId, firstPage + at), page, keyOf),
  );
  if (pages.length > 0) await itemPagesIn(database).insertMany(pages, { ordered: false });
}

/** Removes all pages of a batch. Safe to repeat. */
export async function removeItemPages(
  database: Database,
  batch: { readonly _id: string; readonly total: number; readonly pageSize: number },
): Promise<void> {
  for (const some of parts(pageIds(batch._id, batch.total, batch.pageSize)))
    await deleteEach(itemPagesIn(database), batch.pageSize === 1 ? some.flatMap((id) => [id, sentId(id)]) : some);
}

function toDocuments(id: string, items: readonly NewItem[], keyOf: PagesOfBatch['keyOf']): ItemPageDocument[] {
  const [first, ...others] = items;
  if (first?.sent === undefined || others.length > 0 || fits(items)) return [toDocument(id, items, keyOf)];
  const { sent, isSentJson, ...stored } = first;
  const apart = toDocument(sentId(id), [{ externalId: null, sent, ...(isSentJson && { isSentJson }) }], undefined);
  return [apart, { ...toDocument(id, [stored], keyOf), isSentApart: true }];
}

function toDocument(id: string, items: readonly NewItem[], keyOf: PagesOfBatch['keyOf']): ItemPageDocument {
  const sent = items.flatMap((item, offset) => (item.sent === undefined ? [] : [[String(offset), item.sent] as const]));
  const faults = items.flatMap((item, offset) => (item.faults?.length ? [[String(offset), item.faults] as const] : []));
  return {
    _id: id,
    ids: items.map((item) => item.externalId),
    ...(keyOf && { keys: keysOf(items, keyOf) }),
    ...(items.some((item) => item.body !== undefined) && { bodies: items.map((item) => item.body ?? '') }),
    ...(faults.length > 0 && { faults: Object.fromEntries(faults) }),
    ...(items.some((item) => item.line !== undefined) && { lines: items.map((item) => item.line ?? 0) }),
    ...(sent.length > 0 && { sent: Object.fromEntries(sent), texts: textsOf(items) }),
    ...(items.some((item) => item.undo !== undefined) && { undo: items.flatMap((item) => item.undo ?? []) }),
  };
}

const textsOf = (items: readonly NewItem[]): number[] =>
  items.flatMap(({ sent, isSentJson }, offset) => (sent === undefined || isSentJson ? [] : [offset]));

/** Each once: an index holds an entry for each. */
const keysOf = (items: readonly NewItem[], keyOf: (externalId: string) => number): number[] => [
  ...new Set(items.flatMap(({ externalId }) => (externalId === null ? [] : [keyOf(externalId)]))),
];

/** Items by index, in the requested order. */
export async function readItems(database: Database, batch: PagedBatch, indexes: readonly number[]): Promise<Item[]> {
  return itemsOfPages(await readItemPages(database, batch, indexes), batch, indexes);
}

/** Pages of a batch by `_id`, to take items from (`itemsOfPages`). */
export type ItemPages = ReadonlyMap<string, ItemPageDocument>;
type PagedBatch = Pick<BatchDocument, '_id' | 'pageSize'>;

/** The pages that hold some items, by `_id`. */
export async function readItemPages(
  database: Database,
  batch: PagedBatch,
  indexes: readonly number[],
): Promise<ItemPages> {
  const ids = pagesWith(batch, indexes).map((n) => pageId(batch._id, n));
  const pages = await itemPagesIn(database)
    .find({ _id: { $in: ids } })
    .toArray();
  return new Map(pages.map((page) => [page._id, page]));
}

/** Items of pages that were read, in the order asked for. @throws where a page of theirs is missing. */
export function itemsOfPages(pages: ItemPages, batch: PagedBatch, indexes: readonly number[]): Item[] {
  return indexes.map((index) => {
    const page = pages.get(pageId(batch._id, Math.floor(index / batch.pageSize)));
    if (page === undefined) throw new Error(`batch ${batch._id} has no page for item ${index}`);
    const offset = index % batch.pageSize;
    const body = page.bodies?.[offset];
    return {
      index,
      externalId: page.ids[offset] ?? null,
      body: body ? (parseJson(body) as JsonObject) : null,
      faults: page.faults?.[offset] ?? [],
    };
  });
}

/** External ids of some pages, without their bodies: page number -> ids. */
export async function readIds(
  database: Database,
  batchId: string,
  pages: readonly number[],
): Promise<Map<number, (string | null)[]>> {
  const documents = await itemPagesIn(database)
    .find({ _id: { $in: pages.map((page) => pageId(batchId, page)) } }, { projection: { ids: 1 } })
    .toArray();
  return idsOfPages(new Map(documents.map((document) => [document._id, document])), batchId, pages);
}

/** The same of pages that were read. */
export function idsOfPages(
  read: ReadonlyMap<string, Pick<ItemPageDocument, 'ids'>>,
  batchId: string,
  pages: readonly number[],
): Map<number, (string | null)[]> {
  return new Map(pages.map((page) => [page, read.get(pageId(batchId, page))?.ids ?? []]));
}

/** Identities of the items' resources; an item without one is left out, as is every item of a termination. */
export async function keysOfItems(
  database: Database,
  batch: BatchDocument,
  indexes: readonly number[],
): Promise<{ key: ResourceKey; index: number }[]> {
  if (batch.operation === 'terminate') return [];
  if (batch.operation === 'undo') {
    const entries = await readUndoEntries(database, batch, indexes);
    return [...entries].map(([index, { key }]) => ({ key, index }));
  }
  const { schemaDefinitionId, pageSize } = batch;
  const ids = await readIds(database, batch._id, pagesWith(batch, indexes));
  return indexes.flatMap((index) => {
    const externalId = ids.get(Math.floor(index / pageSize))?.[index % pageSize];
    return typeof externalId === 'string' ? [{ key: resourceKey(batch, schemaDefinitionId, externalId), index }] : [];
  });
}

/** What some items of an undo take back, by index. */
export async function readUndoEntries(
  database: Database,
  batch: PagedBatch,
  indexes: readonly number[],
): Promise<Map<number, UndoEntry>> {
  const ids = pagesWith(batch, indexes).map((page) => pageId(batch._id, page));
  const pages = await itemPagesIn(database)
    .find({ _id: { $in: ids } }, { projection: { undo: 1 } })
    .toArray();
  const byId = new Map(pages.map((page) => [page._id, page.undo ?? []]));
  return new Map(
    indexes.flatMap((index) => {
      const entry = byId.get(pageId(batch._id, Math.floor(index / batch.pageSize)))?.[index % batch.pageSize];
      return entry ? [[index, entry] as const] : [];
    }),
  );
}
