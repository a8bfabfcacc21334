import { isUtf8 } from 'node:buffer';
import { setImmediate } from 'node:timers/promises';
import { counted } from '../../../domain/counted.ts';
import type { CsvFormat } from '../../../domain/imports/csv.ts';
import { countCells, parseCells } from '../../../domain/imports/csv-cells.ts';
import { type CsvRecord, recordsOf } from '../../../domain/imports/csv-records.ts';
import type { Place } from '../../../domain/imports/import.ts';
import { type Content, linesOf, type RawRow } from '../../../domain/imports/lines.ts';
import { MAX_ROW_BYTES } from '../../../domain/limits.ts';

/** A row, with the cells of a row of CSV, or why it is none. */
export type ReadRow = RawRow & { readonly cells?: readonly string[]; readonly flaw?: string };

/** Rows that were read. */
interface ReadRows {
  readonly rows: readonly ReadRow[];
  /** No further row was read because there are as many as were asked for, or they are large. */
  readonly isFull: boolean;
  /** All content is read. */
  readonly isAtEnd: boolean;
}

/** Content that rows are read from: where, and how. */
export interface RowSource {
  readonly cut: Place & { readonly line: number };
  readonly csv?: CsvFormat | undefined;
  contentAt(place: Place): Content;
}

/**
 * The next rows: the same content gives the same rows.
 * @param most number of rows, at most. @param maxBytes after so many bytes no further row is read.
 */
export async function readRows(source: RowSource, most: number, maxBytes: number): Promise<ReadRows> {
  const { cut, csv } = source;
  return csv === undefined
    ? readLines(source.contentAt(cut), cut, most, maxBytes)
    : readRecords(source, csv, most, maxBytes);
}

async function readLines(content: Content, cut: RowSource['cut'], most: number, maxBytes: number): Promise<ReadRows> {
  const rows: RawRow[] = [];
  let bytes = 0;
  for await (const row of linesOf(content, cut.line, MAX_ROW_BYTES)) {
    rows.push(row);
    bytes += row.bytes.length;
    if (rows.length === most || bytes >= maxBytes) return { rows, isFull: true, isAtEnd: false };
  }
  return { rows, isFull: false, isAtEnd: content.isComplete };
}

/** What a cell counts as in bytes, at least: cells cost time and memory however short they are. */
const BYTES_OF_A_CELL = 64;
/** Cells that are parsed at a time, between which the process does other work. */
const CELLS_AT_ONCE = 10_000;

/** A record, and how many cells it has; null if it is none. */
interface CountedRecord {
  readonly record: CsvRecord;
  readonly cells: number | null;
}

/** A record that is none, or whose quote is not closed, fails alone: reading goes on after its first line. */
async function readRecords(
  { cut, contentAt }: RowSource,
  csv: CsvFormat,
  most: number,
  maxBytes: number,
): Promise<ReadRows> {
  const records: CountedRecord[] = [];
  let place: Place = cut;
  let { line } = cut;
  let bytes = 0;
  for (;;) {
    const content = contentAt(place);
    let restart: CsvRecord | undefined;
    for await (const read of recordsOf(content, line, MAX_ROW_BYTES)) {
      const cells = read.flaw === undefined && isUtf8(read.bytes) ? countCells(read.bytes, csv.delimiter) : null;
      const isBroken = read.flaw !== undefined || (cells === null && read.nextLine > read.line + 1);
      const record = isBroken ? firstLineOf(read) : read;
      records.push({ record, cells });
      bytes += Math.max(record.bytes.length, Math.min(cells ?? 0, csv.header.length) * BYTES_OF_A_CELL);
      if (records.length === most || bytes >= maxBytes)
        return { rows: await toRows(records, csv), isFull: true, isAtEnd: false };
      if (!isBroken) continue;
      // what follows was read as if its quotes were closed; to read on would be to read all of it again for each such line
      restart = record;
      break;
    }
    if (restart === undefined) return { rows: await toRows(records, csv), isFull: false, isAtEnd: content.isComplete };
    place = restart.end;
    line = restart.nextLine;
  }
}

const firstLineOf = (record: CsvRecord): CsvRecord => ({
  ...record,
  bytes: record.firstLine,
  end: record.firstEnd,
  nextLine: record.line + 1,
});

/** Records as rows. Those that have as many cells as the header are parsed, some at a time; no other one is. */
async function toRows(records: readonly CountedRecord[], csv: CsvFormat): Promise<ReadRow[]> {
  const { header } = csv;
  const perPortion = Math.max(1, Math.floor(CELLS_AT_ONCE / header.length));
  const rows: ReadRow[] = [];
  for (let at = 0; at < records.length; at += perPortion) {
    if (at > 0) await setImmediate();
    const portion = records.slice(at, at + perPortion);
    const fitting = portion.filter(({ cells }) => cells === header.length).map(({ record }) => record);
    const parsed = cellsOf(fitting, csv);
    for (const { record, cells } of portion) {
      const { line, bytes, end, nextLine, flaw } = record;
      const row = { line, bytes, end, nextLine, isTooLong: flaw === 'is too long' };
      const own = parsed.get(record);
      if (own !== undefined) rows.push({ ...row, cells: own });
      else if (cells === null || cells === header.length) rows.push({ ...row, flaw: flaw ?? flawOf(bytes) });
      else rows.push({ ...row, flaw: `has ${counted(cells, 'cell')}, and the header ${header.length}` });
    }
  }
  return rows;
}

function cellsOf(records: readonly CsvRecord[], csv: CsvFormat): Map<CsvRecord, readonly string[]> {
  const parse = (bytes: Uint8Array) => parseCells(bytes, csv.delimiter, tellsQuoted(csv));
  const all = parse(Buffer.concat(records.flatMap(({ bytes }) => [bytes, NEWLINE])));
  if (all?.length === records.length) return new Map(records.map((record, at) => [record, all[at] ?? []]));
  return new Map(
    records.flatMap((record) => {
      const [own] = parse(record.bytes) ?? [];
      return own === undefined ? [] : [[record, own] as const];
    }),
  );
}

/** Whether a cell of some column is another value where it is quoted: unknown where each row has a schema definition of its own. */
const tellsQuoted = ({ columns }: CsvFormat): boolean =>
  columns.length === 0 || columns.some((column) => column?.bare !== undefined);

const NEWLINE = Buffer.from('\n');

const flawOf = (bytes: Uint8Array): string => (isUtf8(bytes) ? 'is not a record of CSV' : 'is not valid UTF-8');
