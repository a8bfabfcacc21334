import type { CutState } from '../../domain/imports/import.ts';
import type { RowGroup } from '../../domain/imports/row-group.ts';
import { MAX_RESOURCES_PER_BATCH } from '../../domain/limits.ts';
import {
  type FindDefinition,
  rowsOfGroup,
  splitNextRows,
  withColumns,
} from '../../services/imports/rows/mixed-rows.ts';
import { type ReadRow, type RowSource, readRows } from '../../services/imports/rows/read-rows.ts';
import { findSchemaDefinition } from '../../store/definitions/schema-definitions.ts';
import type { ImportDocument, NextBatch } from '../../store/imports/imports.ts';
import { SupersededError } from '../../store/mongodb/errors.ts';
import type { ActivityContext } from '../activity-context.ts';
import { showProgress } from '../control/show-progress.ts';
import { StoredContent } from './stored-content.ts';

/** Bytes of rows from which on a batch takes no further one: as many as a request may have. */
export const BATCH_BYTES = 16 * 1024 * 1024;

/** The rows of a batch that is noted. */
export async function notedRows(
  database: ActivityContext['database'],
  imported: ImportDocument,
  { rows: count, group }: NextBatch,
): Promise<readonly ReadRow[]> {
  const rows = await readAgain(database, imported, count);
  return group === undefined ? rows : rowsOfGroup(rows, group, imported.csv);
}

/** What the next batch is made of. */
interface NextRows {
  readonly rows: readonly ReadRow[];
  /** How many were read to find them. */
  readonly read: number;
  readonly group?: RowGroup;
  /** There are fewer than a full batch has, and more may come. */
  readonly isShort: boolean;
  readonly after: CutState;
}

export async function nextRows({ database, schemas }: ActivityContext, imported: ImportDocument): Promise<NextRows> {
  const { cut, options } = imported;
  // a batch is at most as large as the rows of a second may be
  const most = Math.min(MAX_RESOURCES_PER_BATCH, options.maxPerSecond ?? MAX_RESOURCES_PER_BATCH);
  if (imported.schemaDefinitionId !== undefined) {
    const { rows, isFull, isAtEnd } = await readRows(sourceOf(database, imported), most, BATCH_BYTES);
    const last = rows.at(-1);
    const after = { ...counted(cut, rows), ...(last && { ...last.end, line: last.nextLine }), isAtEnd };
    return { rows, read: rows.length, isShort: !isFull && !isAtEnd, after };
  }
  const {
    split,
    rows: all,
    isShort,
  } = cut.split === undefined
    ? await splitNextRows(sourceOf(database, imported), findIn(database, imported), BATCH_BYTES, options.maxPerSecond)
    : { split: cut.split, rows: await readAgain(database, imported, cut.split.rows), isShort: false };
  const [group, ...groups] = split.groups;
  const rows = group === undefined ? [] : rowsOfGroup(all, group, imported.csv);
  const { split: _, ...state } = counted(cut, rows);
  const after = groups.length > 0 ? { ...state, split: { ...split, groups } } : { ...state, ...split.end };
  return {
    rows,
    read: split.rows,
    isShort,
    after,
    ...(group && { group: await withColumns(schemas, imported, group) }),
  };
}

export const sourceOf = (database: ActivityContext['database'], imported: ImportDocument): RowSource => ({
  ...imported,
  contentAt: (place) => new StoredContent(database, imported, place),
});

export const findIn =
  (database: ActivityContext['database'], { platform }: ImportDocument): FindDefinition =>
  (nameOrId) => {
    showProgress();
    return findSchemaDefinition(database, platform, nameOrId);
  };

/** Rows that were read before, from the same place. */
async function readAgain(
  database: ActivityContext['database'],
  imported: ImportDocument,
  count: number,
): Promise<readonly ReadRow[]> {
  const { rows } = await readRows(sourceOf(database, imported), count, Number.POSITIVE_INFINITY);
  // content is removed once its rows are batches: a later attempt has passed this number
  if (rows.length < count) throw new SupersededError('a later attempt has cut these rows');
  return rows;
}

/** The state with the rows of one more batch counted. */
const counted = (cut: CutState, rows: readonly ReadRow[]): CutState => ({
  ...cut,
  number: cut.number + (rows.length > 0 ? 1 : 0),
  rows: cut.rows + rows.length,
  bytes: cut.bytes + rows.reduce((sum, row) => sum + row.bytes.length + 1, 0),
});
