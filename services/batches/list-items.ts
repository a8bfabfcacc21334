import type { ItemAction, ItemError, ItemStatus, MissingReference } from '../../domain/batch/outcome.ts';
import { COUNT_LIMIT, type Total, totalOf } from '../../domain/batch/total.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { readIds } from '../../store/items/item-pages.ts';
import { outcomeChunks, pagesOf, type StoredOutcome } from '../../store/items/outcomes.ts';
import { type RowMemory, type SentRow, sentPages } from '../../store/items/sent-rows.ts';
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

/** Items of a batch in index order, from `from` on, those of one status or all; some pages are in memory at a time. */
export async function* batchItems(
  database: Database,
  batch: BatchDocument,
  {
    from = 0,
    status,
    sent,
  }: {
    readonly from?: number;
    readonly status?: ItemStatus | undefined;
    /** Items with what was sent of them. */
    readonly sent?: RowMemory | undefined;
  } = {},
): AsyncGenerator<ListedItem> {
  const pages = pagesOf(batch).slice(Math.floor(from / batch.pageSize));
  for await (const { pages: some, outcomes } of outcomeChunks(database, batch, pages)) {
    const stored = sent ? sentByPage(database, batch._id, some, sent) : idsByPage(database, batch._id, some);
    for await (const [page, rows] of stored) {
      const first = page * batch.pageSize;
      const end = Math.min(first + batch.pageSize, batch.total);
      for (let index = Math.max(first, from); index < end; index++) {
        const outcome = outcomes.get(index);
        if (status !== undefined && (outcome?.status ?? 'queued') !== status) continue;
        const row = rows[index - first];
        const item = viewOf(index, row?.externalId ?? null, outcome);
        yield { item, ...(row && isSent(row) && { sent: row }) };
      }
    }
  }
}

const isSent = (row: Pick<SentRow, 'externalId'>): row is SentRow => 'text' in row;

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

async function* sentByPage(
  database: Database,
  batchId: string,
  pages: readonly number[],
  memory: RowMemory,
): AsyncGenerator<readonly [page: number, rows: SentRow[]]> {
  const wanted = pages.map((page) => ({ batchId, page }));
  for await (const [{ page }, rows] of sentPages(database, wanted, memory)) yield [page, rows];
}

async function* idsByPage(
  database: Database,
  batchId: string,
  pages: readonly number[],
): AsyncGenerator<readonly [page: number, rows: Pick<SentRow, 'externalId'>[]]> {
  const ids = await readIds(database, batchId, pages);
  for (const page of pages) yield [page, (ids.get(page) ?? []).map((externalId) => ({ externalId }))];
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
