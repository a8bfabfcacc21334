import type { Collection } from 'mongodb';
import { withoutBatch } from '../batches/without-batch.ts';
import { itemPagesIn } from '../items/item-pages.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteEach } from '../mongodb/each-by-id.ts';

/** The position up to which the pages of items have been checked: batches are in order of their creation, and so are their pages. */
interface PlaceDocument {
  _id: 'itemPages';
  /** Pages up to this `_id` have been checked. */
  to: string;
}

/** Pages that are checked in one round. */
const PAGES_AT_ONCE = 1_000;

const swept = (database: Database): Collection<PlaceDocument> => database.collection<PlaceDocument>('swept');

/**
 * Removes pages of batches that were never accepted: their sender died between the pages and the batch. Each page is checked
 * once, when its batch would be older than accepting one takes. Safe to repeat and to run twice.
 * @param before ids made before are checked. @returns how many were removed of one round, and whether there may be more.
 */
export async function removeOrphanedPages(
  database: Database,
  before: Date,
): Promise<{ removed: number; hasMore: boolean }> {
  const end = firstIdAt(before);
  const from = (await swept(database).findOne({ _id: 'itemPages' }))?.to ?? '';
  if (from >= end) return { removed: 0, hasMore: false };
  const pages = await itemPagesIn(database)
    .find({ _id: { $gt: from, $lt: end } }, { projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(PAGES_AT_ONCE)
    .toArray();
  const gone = await withoutBatch(
    database,
    pages.map(({ _id }) => batchOf(_id)),
  );
  const orphans = pages.map(({ _id }) => _id).filter((id) => gone.has(batchOf(id)));
  // each page is checked once
  const removed = await deleteEach(itemPagesIn(database), orphans);
  // if two processes do this at once, the later position stays: pages that either has checked are checked
  const hasMore = pages.length === PAGES_AT_ONCE;
  const to = (hasMore ? pages.at(-1)?._id : undefined) ?? end;
  await swept(database).updateOne({ _id: 'itemPages' }, { $max: { to } }, { upsert: true });
  return { removed, hasMore };
}

const batchOf = (page: string): string => page.slice(0, page.indexOf('/'));

/** Ids of UUID version 7 begin with their time in ms, so that they sort by it. */
function firstIdAt(time: Date): string {
  const hex = time.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
