import type { ItemAction, ItemError, ItemStatus, MissingReference } from '../../domain/batch/outcome.ts';
import { COUNT_LIMIT, type Total, totalOf } from '../../domain/batch/total.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { readIds } from '../../store/items/item-pages.ts';
import {
  bytesOfOutcomes,
  outcomeChunks,
  pagesOf,
  readOutcomePages,
  type StoredOutcome,
} from '../../store/items/outcomes.ts';
import { type RowReader, readPages, readSentRows, type SentRow } from '../../store/items/sent-rows.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { missedBy } from './pending-resources.ts';

/** An item with its outcome, as callers read it (docs/api.md#status-and-outcomes). */
export interface ItemView {
  readonly index: number;
  readonly externalId: string | null;
  readonly status: ItemStatus;
  readonly action?: ItemAction;
  readonly errors?: readonly ItemError[];
  /** The first 20 missing references of the item, and their number. */
  readonly missingDependencies?: readonly MissingReference[];
  readonly missingTotal?: number;
  readonly attempts: number;
}

/** An item with what was sent of it, if that was asked for. */
export interface ListedItem {
  readonly item: ItemView;
  readonly sent?: SentRow;
}

/** A page of a batch, with the outcomes of its items. */
interface WantedPage {
  readonly batchId: string;
  readonly page: number;
  readonly outcomes: ReadonlyMap<number, StoredOutcome>;
}

const NONE: ReadonlyMap<number, StoredOutcome> = new Map();

/** Items of a batch in index order, from `from` on, those of one status or all; some pages are in memory at a time. */
export async function* batchItems(
  database: Database,
  batch: BatchDocument,
  reader: RowReader,
  {
    from = 0,
    status,
    withSent = false,
  }: { readonly from?: number; readonly status?: ItemStatus | undefined; readonly withSent?: boolean } = {},
): AsyncGenerator<ListedItem> {
  const { _id: batchId, pageSize, total } = batch;
  const wanted = pagesOf(batch)
    .slice(Math.floor(from / pageSize))
    .map((page): WantedPage => ({ batchId, page, outcomes: NONE }));
  const prepare = async (pages: readonly WantedPage[]) => {
    const numbers = pages.map(({ page }) => page);
    const outcomes = new Map(await readOutcomePages(database, batchId, numbers));
    return { pages: pages.map((page) => ({ ...page, outcomes })), bytes: bytesOfOutcomes(outcomes) };
  };
  const read = withSent ? readSentRows : readIdRows;
  for await (const [{ page, outcomes }, rows] of readPages<WantedPage, IdRow>(database, wanted, reader, {
    prepare,
    read,
  })) {
    const first = page * pageSize;
    const end = Math.min(first + pageSize, total);
    for (let index = Math.max(first, from); index < end; index++) {
      const outcome = outcomes.get(index);
      if (status !== undefined && (outcome?.status ?? 'queued') !== status) continue;
      const row = rows[index - first];
      const item = viewOf(index, row?.externalId ?? null, outcome);
      yield { item, ...(row && isSent(row) && { sent: row }) };
    }
  }
}

/** An item of which the id alone is read, or what was sent too. */
type IdRow = Pick<SentRow, 'externalId'> & Partial<SentRow>;

const isSent = (row: IdRow): row is SentRow => row.text !== undefined;

/** An item as callers read it. */
export const viewOf = (index: number, externalId: string | null, outcome: StoredOutcome | undefined): ItemView => ({
  index,
  externalId,
  status: outcome?.status ?? 'queued',
  ...(outcome?.action && { action: outcome.action }),
  ...(outcome?.errors && { errors: outcome.errors }),
  ...(outcome && missedBy(outcome)),
  attempts: outcome?.attempts ?? 0,
});

async function readIdRows(
  database: Database,
  batchId: string,
  pages: readonly number[],
): Promise<Map<number, IdRow[]>> {
  const ids = await readIds(database, batchId, pages);
  return new Map([...ids].map(([page, some]) => [page, some.map((externalId) => ({ externalId }))]));
}

/** How many items there are of one status, or of any. While the batch runs, counting stops at the number at which a total is capped. */
export async function countItems(
  database: Database,
  batch: BatchDocument,
  status: ItemStatus | undefined,
): Promise<Total> {
  if (status === undefined) return totalOf(batch.total);
  if (batch.result) return totalOf(batch.result.counts[status]);
  let count = 0;
  for await (const { pages, outcomes } of outcomeChunks(database, batch)) {
    for (const outcome of outcomes.values()) if (outcome.status === status) count += 1;
    if (status === 'queued') count += itemsOn(batch, pages) - outcomes.size;
    if (count >= COUNT_LIMIT) break;
  }
  return totalOf(count);
}

const itemsOn = ({ total, pageSize }: BatchDocument, pages: readonly number[]): number =>
  pages.reduce((sum, page) => sum + Math.min(pageSize, total - page * pageSize), 0);
