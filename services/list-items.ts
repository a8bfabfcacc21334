import {
  type ItemAction,
  type ItemError,
  type ItemStatus,
  type MissingDependency,
  noCounts,
} from '../domain/outcome.ts';
import type { BatchDocument } from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import { readIds } from '../store/item-pages.ts';
import { outcomeChunks, pagesOf } from '../store/outcome-pages.ts';
import { missedBy } from './pending-resources.ts';

/** An item with its outcome, as callers read it (contract section 3). */
export interface ItemView {
  readonly index: number;
  readonly externalId: string | null;
  readonly status: ItemStatus;
  readonly action?: ItemAction;
  readonly errors?: readonly ItemError[];
  /** The first 20 of what the item misses, and how many there are. */
  readonly missingDependencies?: readonly MissingDependency[];
  readonly missingTotal?: number;
  readonly attempts: number;
}

/** Items of a batch in index order, from `from` on, those of one status or all; some pages are in memory at a time. */
export async function* batchItems(
  database: Database,
  batch: BatchDocument,
  { from = 0, status }: { readonly from?: number; readonly status?: ItemStatus | undefined } = {},
): AsyncGenerator<ItemView> {
  const pages = pagesOf(batch).slice(Math.floor(from / batch.pageSize));
  for await (const { pages: some, outcomes } of outcomeChunks(database, batch, pages)) {
    const ids = await readIds(database, batch._id, some);
    for (const page of some) {
      const first = page * batch.pageSize;
      const end = Math.min(first + batch.pageSize, batch.total);
      for (let index = Math.max(first, from); index < end; index++) {
        const outcome = outcomes.get(index);
        const current = outcome?.status ?? 'queued';
        if (status !== undefined && current !== status) continue;
        yield {
          index,
          externalId: ids.get(page)?.[index - first] ?? null,
          status: current,
          ...(outcome?.action && { action: outcome.action }),
          ...(outcome?.errors && { errors: outcome.errors }),
          ...(outcome && missedBy(outcome)),
          attempts: outcome?.attempts ?? 0,
        };
      }
    }
  }
}

/** How many items there are of one status, or of any. */
export async function countItems(
  database: Database,
  batch: BatchDocument,
  status: ItemStatus | undefined,
): Promise<number> {
  if (status === undefined) return batch.total;
  if (batch.result) return batch.result.counts[status];
  const counts = noCounts();
  for await (const { outcomes } of outcomeChunks(database, batch))
    for (const outcome of outcomes.values()) counts[outcome.status] += 1;
  const { queued: _, ...others } = counts;
  counts.queued = batch.total - Object.values(others).reduce((sum, n) => sum + n, 0);
  return counts[status];
}
