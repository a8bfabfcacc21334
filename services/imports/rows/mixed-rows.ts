import { type CsvFormat, columnsOfHeader, SCHEMA_COLUMN } from '../../../domain/imports/csv.ts';
import type { Place } from '../../../domain/imports/import.ts';
import { isOfGroup, type RowGroup, type SplitRows } from '../../../domain/imports/row-group.ts';
import { takeCensus } from '../../../domain/json/source.ts';
import { MAX_BODY_PARTS, MAX_NAME_LENGTH, MAX_RESOURCES_PER_BATCH } from '../../../domain/limits.ts';
import type { SchemaDefinition } from '../../../domain/schema/definition.ts';
import type { ImportDocument } from '../../../store/imports/imports.ts';
import type { SchemaCatalog } from '../../definitions/schema-catalog.ts';
import { csvTargetOf } from '../csv-target.ts';
import { type ReadRow, type RowSource, readRows } from './read-rows.ts';

/** Rows that are read together, so that those of one schema definition make large batches. */
const ROWS_AT_ONCE = 5 * MAX_RESOURCES_PER_BATCH;
/** Schema definitions of which rows are cut at a time. */
const GROUPS_AT_ONCE = 100;

/** Finds a schema definition by name, plural name or id; null if there is none. */
export type FindDefinition = (nameOrId: string) => Promise<SchemaDefinition | null>;

/** Rows where each names its schema definition, in a batch for each of these. */
interface Split {
  readonly split: SplitRows<Place>;
  readonly rows: readonly ReadRow[];
  /** There may be more, but not now. */
  readonly isShort: boolean;
}

/** The next rows where each names its schema definition, sorted by these. */
export async function splitNextRows(
  source: RowSource,
  find: FindDefinition,
  maxBytes: number,
  most = ROWS_AT_ONCE,
): Promise<Split> {
  const { cut, csv } = source;
  const read = await readRows(source, Math.min(most, ROWS_AT_ONCE), maxBytes);
  const { groups, rows } = await sorted(read.rows, csv, find);
  const isCut = rows.length < read.rows.length;
  const last = rows.at(-1);
  const isAtEnd = read.isAtEnd && !isCut;
  const end = { ...(last?.end ?? cut), line: last?.nextLine ?? cut.line, isAtEnd };
  return { split: { rows: rows.length, groups, end }, rows, isShort: !read.isFull && !isCut && !isAtEnd };
}

/** The rows of a group, as they are found again by whoever repeats the cut. */
export const rowsOfGroup = (rows: readonly ReadRow[], group: RowGroup, csv: CsvFormat | undefined): ReadRow[] =>
  rows.filter((row) => isOfGroup(group, schemaNameIn(row, csv)));

/** The first rows, of which none has more in its group than fit into a batch, and their groups. */
async function sorted(
  rows: readonly ReadRow[],
  csv: CsvFormat | undefined,
  find: FindDefinition,
): Promise<{ readonly groups: RowGroup[]; readonly rows: readonly ReadRow[] }> {
  const found = new Map<string, SchemaDefinition | null>();
  const groups = new Map<string, { definition: SchemaDefinition | null; names: Set<string>; rows: number }>();
  let taken = 0;
  for (const row of rows) {
    const name = schemaNameIn(row, csv);
    if (name !== null && !found.has(name)) found.set(name, name.length > MAX_NAME_LENGTH ? null : await find(name));
    const definition = (name !== null && found.get(name)) || null;
    const id = definition?.id ?? '';
    const group = groups.get(id) ?? { definition, names: new Set<string>(), rows: 0 };
    if (group.rows === MAX_RESOURCES_PER_BATCH || (group.rows === 0 && groups.size === GROUPS_AT_ONCE)) break;
    groups.set(id, group);
    group.rows += 1;
    if (definition !== null && name !== null) group.names.add(name);
    taken += 1;
  }
  const known = [...groups.values()].flatMap(({ names }) => [...names]);
  return {
    groups: [...groups.values()].map(({ definition, names }) => toGroup(definition, definition ? [...names] : known)),
    rows: rows.slice(0, taken),
  };
}

function toGroup(definition: SchemaDefinition | null, names: readonly string[]): RowGroup {
  if (definition === null) return { schemaDefinitionId: '', schemaName: '', externalIdField: '', names };
  const { id: schemaDefinitionId, name: schemaName, externalIdField } = definition;
  return { schemaDefinitionId, schemaName, externalIdField, names };
}

/** A group with the way in which cells are read, by the present version of its schema definition. */
export async function withColumns(
  schemas: SchemaCatalog,
  { csv, csvOptions = {}, options }: Pick<ImportDocument, 'csv' | 'csvOptions' | 'options'>,
  group: RowGroup,
): Promise<RowGroup> {
  if (csv === undefined || group.schemaDefinitionId === '') return group;
  const target = await csvTargetOf(schemas, { ...group, options });
  if (target === null) return group;
  const mixed = { ...target, ignoreUnknownFields: true, isMixed: true };
  return { ...group, columns: columnsOfHeader(csv.header, csvOptions, mixed).columns };
}

/** The names that rows give, found once: every group is asked for its rows. */
const NAMES = new WeakMap<ReadRow, { readonly name: string | null }>();

/** How a row names its schema definition, in lower case; null if it names none. */
export function schemaNameIn(row: ReadRow, csv: CsvFormat | undefined): string | null {
  const known = NAMES.get(row);
  if (known !== undefined) return known.name;
  const given =
    csv === undefined ? memberOf(row.bytes) : row.cells?.[csv.header.indexOf(SCHEMA_COLUMN)]?.replace(/^"/, '');
  const name = typeof given === 'string' && given !== '' ? given.toLowerCase() : null;
  NAMES.set(row, { name });
  return name;
}

/** A row that has too many parts fails, whatever it names: it is not parsed. */
function memberOf(bytes: Uint8Array): unknown {
  if (takeCensus(bytes, MAX_BODY_PARTS).parts > MAX_BODY_PARTS) return null;
  try {
    const row: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    return typeof row === 'object' && row !== null && 'schema' in row ? row.schema : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
