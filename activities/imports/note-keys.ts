import type { Place } from '../../domain/imports/import.ts';
import type { RowGroup } from '../../domain/imports/row-group.ts';
import { type ResourceKey, resourceKey } from '../../domain/write/resource.ts';
import { rowsOfGroup, splitNextRows, withColumns } from '../../services/imports/rows/mixed-rows.ts';
import { type ReadRow, readRows } from '../../services/imports/rows/read-rows.ts';
import { batchTargetOf, rowItem } from '../../services/imports/rows/row-items.ts';
import { addImportKeys } from '../../store/imports/import-keys.ts';
import { type ImportDocument, readImport, recordNoted } from '../../store/imports/imports.ts';
import type { ActivityContext } from '../activity-context.ts';
import { withCsvFormat } from './csv-format.ts';
import { BATCH_BYTES, findIn, sourceOf } from './next-rows.ts';

/** Time after which an activity leaves the rest to the next one, in ms. */
const NOTING_MS = 10_000;
/** Rows that are noted at a time. */
const ROWS_AT_ONCE = 2_000;

/** Whether rows may be cut: of an import that is only checked, once all that its rows would create is noted. */
export const hasNotedKeys = ({ options, noted }: ImportDocument): boolean =>
  !options.validateOnly || options.operation !== 'upload' || noted?.isAtEnd === true;

/**
 * Notes the resources that the rows of an import would create, before the first row is checked: references to rows that come later are not missing.
 * Waits for all content. In bounded memory, and safe to repeat: whoever goes on begins where the last one has noted that it was.
 */
export async function withNotedKeys(context: ActivityContext, found: ImportDocument): Promise<ImportDocument> {
  const isHalted = found.suspended || found.cancelRequested === true;
  if (hasNotedKeys(found) || !found.sealed || isHalted) return found;
  const { database } = context;
  const imported = (await withCsvFormat(context, found)) ?? found;
  const until = Date.now() + NOTING_MS;
  let noted = imported.noted ?? { ...placeOf(imported), isAtEnd: false };
  while (!noted.isAtEnd && Date.now() < until) {
    const { keys, end } = await keysFrom(context, { ...imported, cut: { ...imported.cut, ...noted } });
    await addImportKeys(database, imported._id, keys);
    await recordNoted(database, imported._id, end);
    noted = end;
  }
  return (await readImport(database, imported._id)) ?? imported;
}

const placeOf = ({ cut: { part, chunk, offset, line } }: ImportDocument): Place & { line: number } => ({
  part,
  chunk,
  offset,
  line,
});

async function keysFrom(
  { database, schemas }: ActivityContext,
  imported: ImportDocument,
): Promise<{ readonly keys: ResourceKey[]; readonly end: NonNullable<ImportDocument['noted']> }> {
  const source = sourceOf(database, imported);
  if (imported.schemaDefinitionId !== undefined) {
    const { rows, isAtEnd } = await readRows(source, ROWS_AT_ONCE, BATCH_BYTES);
    const last = rows.at(-1);
    const end = { ...placeOf(imported), ...(last && { ...last.end, line: last.nextLine }), isAtEnd };
    return { keys: keysOf(imported, undefined, rows), end };
  }
  const { split, rows } = await splitNextRows(source, findIn(database, imported), BATCH_BYTES);
  const keys: ResourceKey[] = [];
  for (const found of split.groups) {
    const group = await withColumns(schemas, imported, found);
    keys.push(...keysOf(imported, group, rowsOfGroup(rows, group, imported.csv)));
  }
  return { keys, end: split.end };
}

function keysOf(imported: ImportDocument, group: RowGroup | undefined, rows: readonly ReadRow[]): ResourceKey[] {
  const { schemaDefinitionId, target } = batchTargetOf(imported, group);
  return rows.flatMap((row) => {
    const { externalId, body } = rowItem(row, target);
    return externalId === null || body === undefined ? [] : [resourceKey(imported, schemaDefinitionId, externalId)];
  });
}
