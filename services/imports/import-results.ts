import { isTerminal } from '../../domain/batch/batch.ts';
import type { ItemAction, ItemError, ItemStatus } from '../../domain/batch/outcome.ts';
import { type ImportBatch, importBatches } from '../../store/imports/import-batches.ts';
import { outcomeChunks, pagesOf } from '../../store/items/outcomes.ts';
import { type RowMemory, type SentRow, sentPages } from '../../store/items/sent-rows.ts';
import type { Database } from '../../store/mongodb/database.ts';

interface RowOutcome {
  readonly status: ItemStatus;
  readonly action?: ItemAction;
  readonly errors?: readonly ItemError[];
}

/** A row of an import as it was sent, with its outcome. */
export interface RowResult extends RowOutcome {
  readonly row: SentRow;
}

/** A page of a batch with the outcomes of its rows, by their index in the batch. */
interface WantedPage {
  readonly batchId: string;
  readonly page: number;
  readonly first: number;
  readonly outcomeOf: (index: number) => RowOutcome;
}

const QUEUED: RowOutcome = { status: 'queued' };

/**
 * The rows of an import that are in batches, in the order of the file, those of one status or all, a page at a time; some pages are in memory,
 * those that follow are read while one is sent.
 */
export async function* importResults(
  database: Database,
  importId: string,
  memory: RowMemory,
  status?: ItemStatus,
): AsyncGenerator<readonly RowResult[]> {
  const wanted = wantedPages(database, importId, status);
  for await (const [{ first, outcomeOf }, rows] of sentPages(database, wanted, memory)) {
    const results: RowResult[] = [];
    for (const [offset, row] of rows.entries()) {
      const { status: current, action, errors } = outcomeOf(first + offset);
      if (status !== undefined && current !== status) continue;
      results.push({ row, status: current, ...(action && { action }), ...(errors && { errors }) });
    }
    yield results;
  }
}

async function* wantedPages(
  database: Database,
  importId: string,
  status: ItemStatus | undefined,
): AsyncGenerator<WantedPage> {
  for await (const batch of importBatches(database, importId)) {
    // its rows are removed with it
    if (batch.deletedAt !== undefined) continue;
    if (status !== undefined && batch.result?.counts[status] === 0) continue;
    const { _id: batchId, pageSize, total } = batch;
    const about = (page: number) => ({ batchId, page, first: page * pageSize });
    const same = outcomeOfAll(batch);
    if (same !== null) {
      for (const page of pagesOf(batch)) yield { ...about(page), outcomeOf: () => same };
      continue;
    }
    for await (const { pages, outcomes } of outcomeChunks(database, batch)) {
      const outcomeOf = (index: number): RowOutcome => outcomes.get(index) ?? QUEUED;
      for (const page of pages) {
        const { first } = about(page);
        const isWanted = (_: unknown, offset: number): boolean => outcomeOf(first + offset).status === status;
        const indexes = Array.from({ length: Math.min(pageSize, total - first) });
        if (status === undefined || indexes.some(isWanted)) yield { ...about(page), outcomeOf };
      }
    }
  }
}

/** The outcome of every item of a finished batch, where its counts say it: most batches need no outcomes to be read. */
function outcomeOfAll({ status, result, total }: ImportBatch): RowOutcome | null {
  if (!isTerminal(status) || result?.counts.succeeded !== total) return null;
  const actions = Object.entries(result.actions) as [ItemAction, number][];
  const [action] = actions.find(([name, count]) => SINGLE.has(name) && count === total) ?? [];
  return action === undefined ? null : { status: 'succeeded', action };
}

/** Actions that are counted once for each item that has them. */
const SINGLE: ReadonlySet<string> = new Set<ItemAction>(['created', 'updated', 'unchanged']);
