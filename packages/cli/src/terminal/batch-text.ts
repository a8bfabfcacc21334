import type { Batch, BulkOperation, Import, PreviewedItem } from '@drover/client';
import type { Output } from './output.ts';
import { formatNumber, type Progress } from './progress.ts';
import type { Column } from './table.ts';

/** What a batch and an import have in common. */
type Work = Pick<Batch, 'status' | 'suspended' | 'counts' | 'actions' | 'progress' | 'createdAt'> & {
  readonly errors?: { readonly summary: Readonly<Record<string, number | undefined>> } | undefined;
};

type Numbers = Readonly<Record<string, number | undefined>>;

/** Counts that are not 0, for people. */
export const textOfCounts = (counts: Numbers): string =>
  Object.entries(counts)
    .filter(([, count]) => count)
    .map(([name, count]) => `${formatNumber(count ?? 0)} ${name}`)
    .join(', ') || 'none';

const COLOURS = { success: 'green', partial_success: 'yellow', failed: 'red', cancelled: 'yellow' } as const;

function statusOf({ status, suspended }: Pick<Work, 'status' | 'suspended'>, colours: Output['colours']): string {
  const text = suspended ? `${status} (suspended)` : status;
  return Object.hasOwn(COLOURS, status) ? colours[COLOURS[status as keyof typeof COLOURS]](text) : text;
}

/** What people see of a batch or import. */
export function linesOfWork(work: Work, id: readonly [string, string], colours: Output['colours']): [string, string][] {
  return [
    [...id],
    ['status', statusOf(work, colours)],
    ['records', formatNumber(work.progress.totalRecords)],
    ['outcomes', textOfCounts(work.counts)],
    ['effects', textOfCounts(work.actions)],
    ...(work.errors ? [['errors', textOfCounts(work.errors.summary)] as [string, string]] : []),
    ['created', work.createdAt],
  ];
}

/** What people see of a preview: the outcomes that items would have. */
export function linesOfPreview(
  total: number,
  { counts, actions }: { readonly counts: Numbers; readonly actions: Numbers },
  colours: Output['colours'],
): [string, string][] {
  return [
    ['records', formatNumber(total)],
    ['would be', (counts.failed ? colours.yellow : colours.green)(textOfCounts(counts))],
    ['effects', textOfCounts(actions)],
  ];
}

/** What people see of a bulk operation. */
export function linesOfBulk(state: BulkOperation, colours: Output['colours']): [string, string][] {
  const { bulkOperationId, operation, status, matched, done, skipped, failed, createdAt } = state;
  return [
    ['operation', bulkOperationId],
    ['what', operation],
    ['status', statusOf({ status, suspended: false }, colours)],
    ['matched', formatNumber(matched)],
    ['done', formatNumber(done)],
    ...(skipped > 0 ? [['skipped', formatNumber(skipped)] as [string, string]] : []),
    ...(Object.keys(failed).length > 0 ? [['not done', textOfCounts(failed)] as [string, string]] : []),
    ...(state.counts ? [['items', textOfCounts(state.counts)] as [string, string]] : []),
    ['created', createdAt],
  ];
}

/** How far a batch or import is. */
export function progressOf({ progress }: Pick<Work, 'progress'>, total: number | null): Progress {
  const { processedRecords, failedRecords, pendingRecords } = progress;
  const notes = [
    ...(failedRecords > 0 ? [`${formatNumber(failedRecords)} failed`] : []),
    ...(pendingRecords > 0 ? [`${formatNumber(pendingRecords)} waiting`] : []),
  ];
  return { done: processedRecords, total, ...(notes.length > 0 && { note: notes.join(', ') }) };
}

export const BATCH_COLUMNS: readonly Column<Batch>[] = [
  { name: 'BATCH', of: ({ batchId }) => batchId, isKept: true },
  {
    name: 'STATUS',
    of: ({ status, suspended }) => (suspended ? `${status} (suspended)` : status),
    isKept: true,
  },
  { name: 'OPERATION', of: ({ operation }) => operation },
  { name: 'SCHEMA', of: ({ schemaName }) => schemaName },
  { name: 'DONE', of: ({ progress }) => progress.processedRecords },
  { name: 'TOTAL', of: ({ progress }) => progress.totalRecords },
  { name: 'FAILED', of: ({ progress }) => progress.failedRecords },
  { name: 'CREATED', of: ({ createdAt }) => createdAt },
];

export const IMPORT_COLUMNS: readonly Column<Import>[] = [
  { name: 'IMPORT', of: ({ importId }) => importId, isKept: true },
  { name: 'SCHEMA', of: ({ schemaName }) => schemaName },
  { name: 'STATUS', of: ({ status, suspended }) => (suspended ? `${status} (suspended)` : status) },
  { name: 'ROWS', of: ({ rowsRead }) => rowsRead },
  { name: 'FAILED', of: ({ progress }) => progress.failedRecords },
  { name: 'LABEL', of: ({ label }) => label },
  { name: 'CREATED', of: ({ createdAt }) => createdAt },
];

export const BULK_COLUMNS: readonly Column<BulkOperation>[] = [
  { name: 'OPERATION', of: ({ bulkOperationId }) => bulkOperationId, isKept: true },
  { name: 'WHAT', of: ({ operation }) => operation },
  { name: 'STATUS', of: ({ status }) => status, isKept: true },
  { name: 'MATCHED', of: ({ matched }) => matched },
  { name: 'DONE', of: ({ done }) => done },
  { name: 'CREATED', of: ({ createdAt }) => createdAt },
];

/** Of items of batches, and of previews. */
export const ITEM_COLUMNS: readonly Column<PreviewedItem>[] = [
  { name: 'INDEX', of: ({ index }) => index, isKept: true },
  { name: 'EXTERNAL ID', of: ({ externalId }) => externalId },
  { name: 'STATUS', of: ({ status }) => status, isKept: true },
  { name: 'ACTION', of: (item) => ('action' in item ? item.action : '') },
  {
    name: 'ERRORS',
    of: (item) =>
      ('errors' in item ? (item.errors ?? []) : []).map(({ code, message }) => `${code}: ${message}`).join('; '),
  },
];
