import type { ItemAction, ItemError, ItemStatus } from '../../domain/batch/outcome.ts';
import { importBatches } from '../../store/imports/import-batches.ts';
import { outcomeChunks } from '../../store/items/outcomes.ts';
import { type SentRow, sentRows } from '../../store/items/sent-rows.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** A row of an import as it was sent, with its outcome. */
export interface RowResult extends SentRow {
  readonly status: ItemStatus;
  readonly action?: ItemAction;
  readonly errors?: readonly ItemError[];
}

/** The rows of an import that are in batches, in the order of the file, those of one status or all; some pages are in memory at a time. */
export async function* importResults(
  database: Database,
  importId: string,
  status?: ItemStatus,
): AsyncGenerator<RowResult> {
  for await (const batch of importBatches(database, importId)) {
    // its rows are removed with it
    if (batch.deletedAt !== undefined) continue;
    const known = batch.result?.counts;
    if (status !== undefined && known?.[status] === 0) continue;
    for await (const { pages, outcomes } of outcomeChunks(database, batch)) {
      for await (const [page, rows] of sentRows(database, batch._id, pages)) {
        for (const [offset, row] of rows.entries()) {
          const outcome = outcomes.get(page * batch.pageSize + offset);
          const current = outcome?.status ?? 'queued';
          if (status !== undefined && current !== status) continue;
          yield {
            ...row,
            status: current,
            ...(outcome?.action && { action: outcome.action }),
            ...(outcome?.errors && { errors: outcome.errors }),
          };
        }
      }
    }
  }
}
