import { type Actions, type Counts, type ItemError, noActions, noCounts } from '../../domain/batch/outcome.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import { addTally, tallyOf } from '../../domain/batch/tally.ts';
import { type CsvFormat, csvFormatOf, DELIMITERS, type DelimiterName } from '../../domain/imports/csv.ts';
import { recordsOf } from '../../domain/imports/csv-records.ts';
import type { RowGroup } from '../../domain/imports/row-group.ts';
import { parseJson } from '../../domain/json/parse.ts';
import { shortened } from '../../domain/json/shortened.ts';
import {
  MAX_CSV_HEADER_BYTES,
  MAX_FAULTS,
  MAX_PREVIEW_ARRIVAL_MS,
  MAX_PREVIEWED_BYTES,
  MAX_PREVIEWED_FAULTS,
  MAX_PREVIEWED_ROWS,
} from '../../domain/limits.ts';
import type { JsonObject } from '../../domain/write/resource.ts';
import { findSchemaDefinition } from '../../store/definitions/schema-definitions.ts';
import type { Item, NewItem } from '../../store/items/item-pages.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import type { PlanningParts } from '../writes/plan-writes.ts';
import { previewWrites } from '../writes/preview-writes.ts';
import { failedOutcome } from '../writes/write-outcome.ts';
import { csvTargetOf } from './csv-target.ts';
import { instructionOf } from './instruction.ts';
import type { ImportRequest } from './receive/receive-import.ts';
import { contentFrom, type Head, headOfContent } from './rows/head-of-content.ts';
import { rowsOfGroup, splitNextRows, withColumns } from './rows/mixed-rows.ts';
import { type ReadRow, type RowSource, readRows } from './rows/read-rows.ts';
import { batchTargetOf, rowItem } from './rows/row-items.ts';

/** Resources that are shown as they were read, and the largest of them, in characters. */
const SHOWN_RESOURCES = 5;
const LONGEST_SHOWN = 16_384;
/** Columns that are shown, and longest message. */
const SHOWN_COLUMNS = 1_000;
const LONGEST_MESSAGE = 500;

/** A column of a file, and the field that it gives; null: it is passed over. */
interface PreviewedColumn {
  readonly column: string;
  readonly field: string | null;
  /** How its cells are read; absent where each row names its schema definition. */
  readonly type?: string;
}

/** A row that would fail. */
interface PreviewedFault {
  readonly line: number;
  readonly externalId: string | null;
  readonly errors: readonly ItemError[];
}

/** What an import would make of the first rows of a file. */
interface ImportPreview {
  readonly delimiter?: DelimiterName;
  readonly columns?: readonly PreviewedColumn[];
  /** For which the import would be refused. */
  readonly faults: readonly string[];
  /** How many rows were looked at, and whether these are all. */
  readonly rows: number;
  readonly isWhole: boolean;
  readonly counts: Counts;
  readonly actions: Actions;
  readonly errors: readonly PreviewedFault[];
  readonly resources: readonly { readonly line: number; readonly resource: JsonObject }[];
}

/**
 * Reads the first rows of content as an import of it would, decides what would become of them now, and stores nothing. The rest of the content is not
 * read.
 * @param inTurn runs the part that takes much of the process. @param deadline of that, in ms since 1970.
 * @throws DroverError `preview_timeout` after it; what reading the content throws.
 */
export async function previewImport(
  parts: PlanningParts,
  request: ImportRequest,
  content: AsyncIterable<Uint8Array>,
  inTurn: <T>(work: () => Promise<T>) => Promise<T>,
  deadline: number,
): Promise<ImportPreview> {
  const until = Math.min(deadline, Date.now() + MAX_PREVIEW_ARRIVAL_MS);
  const extent = { bytes: MAX_PREVIEWED_BYTES, until };
  const head = await headOfContent(content, MAX_PREVIEWED_ROWS + 1, extent, async (so) => {
    const { source } = await sourceOf(parts, request, so);
    return (
      source !== null &&
      (await readRows(source, MAX_PREVIEWED_ROWS, MAX_PREVIEWED_BYTES)).rows.length === MAX_PREVIEWED_ROWS
    );
  });
  const { source, faults } = await sourceOf(parts, request, head);
  const read = await inTurn(() => decideRows(parts, request, source, deadline));
  const tally = { counts: noCounts(), actions: noActions(), errorCodes: {} };
  addTally(tally, tallyOf(read.items.map(({ outcome }) => outcome)));
  return {
    ...(source?.csv && columnsOf(request, source.csv)),
    faults: faults.slice(0, MAX_FAULTS),
    rows: read.items.length,
    isWhole: head.isWhole && read.isAtEnd,
    counts: tally.counts,
    actions: tally.actions,
    errors: read.items.flatMap(faultOf).slice(0, MAX_PREVIEWED_FAULTS),
    resources: read.items.flatMap(({ item }) => shown(item)).slice(0, SHOWN_RESOURCES),
  };
}

/** Where rows begin, and how they are read; null if there is no header. */
async function sourceOf(
  { schemas }: PlanningParts,
  request: ImportRequest,
  head: Head,
): Promise<{ readonly source: RowSource | null; readonly faults: readonly string[] }> {
  const cut = { part: 1, chunk: 0, offset: 0, line: 1 };
  const contentAt: RowSource['contentAt'] = (place) => contentFrom(head, place);
  if (request.format === 'ndjson') return { source: { cut, contentAt }, faults: [] };
  for await (const record of recordsOf(contentAt(cut), 1, MAX_CSV_HEADER_BYTES)) {
    if (record.flaw !== undefined) return { source: null, faults: [`header: ${record.flaw}`] };
    const target = await csvTargetOf(schemas, request);
    const { format: csv, faults } = csvFormatOf(record.bytes, request.csvOptions ?? {}, target);
    return { source: { cut: { ...record.end, line: record.nextLine }, csv, contentAt }, faults };
  }
  return { source: null, faults: ['header: there is none'] };
}

interface DecidedRow {
  readonly item: NewItem;
  readonly outcome: StoredOutcome;
}

async function decideRows(
  parts: PlanningParts,
  request: ImportRequest,
  source: RowSource | null,
  deadline: number,
): Promise<{ readonly items: readonly DecidedRow[]; readonly isAtEnd: boolean }> {
  if (source === null) return { items: [], isAtEnd: true };
  const imported = { ...request, ...(source.csv && { csv: source.csv }) };
  if (request.schemaDefinitionId !== undefined) {
    const { rows, isAtEnd } = await readRows(source, MAX_PREVIEWED_ROWS, MAX_PREVIEWED_BYTES);
    return { items: await decideGroup(parts, imported, undefined, rows, deadline), isAtEnd };
  }
  const find = (name: string) => findSchemaDefinition(parts.database, request.scope.platform, name);
  const { split, rows } = await splitNextRows(source, find, MAX_PREVIEWED_BYTES, MAX_PREVIEWED_ROWS);
  const items: DecidedRow[] = [];
  for (const found of split.groups) {
    const group = await withColumns(parts.schemas, imported, found);
    items.push(...(await decideGroup(parts, imported, group, rowsOfGroup(rows, group, source.csv), deadline)));
  }
  return { items: items.toSorted((a, b) => (a.item.line ?? 0) - (b.item.line ?? 0)), isAtEnd: split.end.isAtEnd };
}

async function decideGroup(
  parts: PlanningParts,
  imported: ImportRequest & { readonly csv?: CsvFormat },
  group: RowGroup | undefined,
  rows: readonly ReadRow[],
  deadline: number,
): Promise<DecidedRow[]> {
  const { schemaDefinitionId, schemaName, target } = batchTargetOf(imported, group);
  const items = rows.map((row) => rowItem(row, target));
  const how = instructionOf(imported.options);
  const schema = schemaDefinitionId === '' ? null : await parts.schemas.latest(schemaDefinitionId);
  if (how.operation === 'delete' || schema === null) return items.map((item) => ({ item, outcome: undecided(item) }));
  const scope: Scope = imported.scope;
  const batch = { ...scope, ...how, schemaDefinitionId, schemaName };
  const outcomes = await previewWrites(parts, batch, schema, items.map(toStored), deadline);
  return items.map((item, index) => ({ item, outcome: outcomes.get(index) ?? undecided(item) }));
}

/** Rows of a delete are read, and not looked up. */
const undecided = ({ faults = [] }: NewItem): StoredOutcome =>
  faults.length > 0 ? failedOutcome(undefined, faults) : { status: 'queued', attempts: 0 };

const toStored = ({ externalId, body, faults = [] }: NewItem, index: number): Item => ({
  index,
  externalId,
  body: body === undefined ? null : (parseJson(body) as JsonObject),
  faults,
});

function faultOf({ item: { line = 0, externalId }, outcome }: DecidedRow): PreviewedFault[] {
  if (outcome.status !== 'failed') return [];
  const [first] = outcome.errors;
  return first === undefined
    ? []
    : [{ line, externalId, errors: [{ ...first, message: shortened(first.message, LONGEST_MESSAGE) }] }];
}

const shown = ({ line = 0, body }: NewItem): ImportPreview['resources'] =>
  body === undefined || body.length > LONGEST_SHOWN ? [] : [{ line, resource: parseJson(body) as JsonObject }];

function columnsOf(request: ImportRequest, csv: CsvFormat): Pick<ImportPreview, 'delimiter' | 'columns'> {
  const { header, delimiter, columns } = csv;
  const renamed = new Map(request.csvOptions?.renamed);
  const isMixed = request.schemaDefinitionId === undefined;
  const name = (Object.keys(DELIMITERS) as DelimiterName[]).find((one) => DELIMITERS[one] === delimiter) ?? ',';
  return {
    delimiter: name,
    columns: header.slice(0, SHOWN_COLUMNS).map((column, at) => {
      if (isMixed) return { column, field: renamed.get(column) ?? column };
      const found = columns[at] ?? null;
      return { column, field: found?.path.join('.') ?? null, ...(found && { type: typeOf(found) }) };
    }),
  };
}

const typeOf = ({ kind, bare = [] }: NonNullable<CsvFormat['columns'][number]>): string => [...bare, kind].join(' or ');
