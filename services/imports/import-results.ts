import { isTerminal } from '../../domain/batch/batch.ts';
import type { ItemAction, ItemError, ItemStatus } from '../../domain/batch/outcome.ts';
import { type ImportBatch, importBatches } from '../../store/imports/import-batches.ts';
import { bytesOfOutcomes, pagesOf, readOutcomePages } from '../../store/items/outcomes.ts';
import { type RowReader, readPages, readSentRows, type SentRow } from '../../store/items/sent-rows.ts';
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

/** A page of a batch, and the outcomes of its rows, by their index in the batch. */
interface WantedPage {
  readonly batch: ImportBatch;
  readonly batchId: string;
  readonly page: number;
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
  reader: RowReader,
  status?: ItemStatus,
): AsyncGenerator<readonly RowResult[]> {
  const wanted = wantedPages(database, importId, status);
  const prepare = (pages: readonly WantedPage[]) => withOutcomes(database, pages, status);
  for await (const [{ batch, page, outcomeOf }, rows] of readPages(database, wanted, reader, {
    prepare,
    read: readSentRows,
  })) {
    const first = page * batch.pageSize;
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
    const same = outcomeOfAll(batch);
    if (same !== null && status !== undefined && status !== same.status) continue;
    for (const page of pagesOf(batch)) yield { batch, batchId: batch._id, page, outcomeOf: () => same ?? QUEUED };
  }
}

/** Pages of one batch with their outcomes, those that have a row of the status. */
async function withOutcomes(
  database: Database,
  pages: readonly WantedPage[],
  status: ItemStatus | undefined,
): Promise<{ readonly pages: readonly WantedPage[]; readonly bytes: number }> {
  const [first] = pages;
  if (first === undefined || outcomeOfAll(first.batch) !== null) return { pages, bytes: 0 };
  const { _id, pageSize, total } = first.batch;
  const numbers = pages.map(({ page }) => page);
  const outcomes = new Map(await readOutcomePages(database, _id, numbers));
  const outcomeOf = (index: number): RowOutcome => outcomes.get(index) ?? QUEUED;
  const isWanted = ({ page }: WantedPage): boolean => {
    if (status === undefined) return true;
    const end = Math.min((page + 1) * pageSize, total);
    for (let index = page * pageSize; index < end; index++) if (outcomeOf(index).status === status) return true;
    return false;
  };
  return { pages: pages.filter(isWanted).map((page) => ({ ...page, outcomeOf })), bytes: bytesOfOutcomes(outcomes) };
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
