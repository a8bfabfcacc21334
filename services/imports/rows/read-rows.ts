import { isUtf8 } from 'node:buffer';
import type { CsvFormat } from '../../../domain/imports/csv.ts';
import { parseCells } from '../../../domain/imports/csv-cells.ts';
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

/** A record that is none, or whose quote is not closed, fails alone: reading goes on after its first line. */
async function readRecords(
  { cut, contentAt }: RowSource,
  csv: CsvFormat,
  most: number,
  maxBytes: number,
): Promise<ReadRows> {
  const rows: ReadRow[] = [];
  let place: Place = cut;
  let { line } = cut;
  let bytes = 0;
  for (;;) {
    const content = contentAt(place);
    const records: CsvRecord[] = [];
    let isFull = false;
    let read = bytes;
    for await (const record of recordsOf(content, line, MAX_ROW_BYTES)) {
      records.push(record);
      read += record.bytes.length;
      isFull = rows.length + records.length === most || read >= maxBytes;
      if (isFull) break;
    }
    const { parsed, isBroken } = parsedRows(records, csv);
    rows.push(...parsed);
    bytes += parsed.reduce((sum, row) => sum + row.bytes.length, 0);
    const last = parsed.at(-1);
    if (isBroken && last !== undefined && rows.length < most && bytes < maxBytes) {
      place = last.end;
      line = last.nextLine;
      continue;
    }
    return { rows, isFull: isFull || isBroken, isAtEnd: !isFull && !isBroken && content.isComplete };
  }
}

/** Records as rows, up to the first one after which reading begins anew. */
function parsedRows(records: readonly CsvRecord[], csv: CsvFormat): { parsed: ReadRow[]; isBroken: boolean } {
  const cellsOf = (bytes: Uint8Array) => parseCells(bytes, csv.delimiter, tellsQuoted(csv));
  const sound = records.filter(({ bytes, flaw }) => flaw === undefined && isUtf8(bytes));
  const all = cellsOf(Buffer.concat(sound.flatMap(({ bytes }) => [bytes, NEWLINE])));
  const cells = new Map(all?.length === sound.length ? sound.map((record, at) => [record, all[at] ?? []]) : []);
  const parsed: ReadRow[] = [];
  for (const record of records) {
    const { line, bytes, end, nextLine, flaw, firstLine, firstEnd } = record;
    const row = { line, bytes, end, nextLine, isTooLong: flaw === 'is too long' };
    const own = cells.get(record) ?? (flaw === undefined && isUtf8(bytes) ? cellsOf(bytes)?.[0] : undefined);
    if (own !== undefined) parsed.push({ ...row, cells: own });
    else if (nextLine === line + 1) parsed.push({ ...row, flaw: flaw ?? flawOf(bytes) });
    else parsed.push({ ...row, bytes: firstLine, end: firstEnd, nextLine: line + 1, flaw: flaw ?? flawOf(bytes) });
    // what follows was read as if its quotes were closed
    const isBroken = flaw !== undefined || (own === undefined && nextLine > line + 1);
    if (isBroken) return { parsed, isBroken };
  }
  return { parsed, isBroken: false };
}

/** Whether a cell of some column is another value where it is quoted: unknown where each row has a schema definition of its own. */
const tellsQuoted = ({ columns }: CsvFormat): boolean =>
  columns.length === 0 || columns.some((column) => column?.bare !== undefined);

const NEWLINE = Buffer.from('\n');

const flawOf = (bytes: Uint8Array): string => (isUtf8(bytes) ? 'is not a record of CSV' : 'is not valid UTF-8');
