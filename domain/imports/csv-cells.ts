import { parse } from 'csv-parse/sync';
import { isJson } from '../json/text.ts';

/** Records of CSV; null if it is none. Every record is one of the file: none is skipped. */
export function parseRecords(text: string | Uint8Array, delimiter: string): string[][] | null {
  return recordsIn(text, delimiter, false);
}

/** A cell as it is in the file: with a quote in front if it is quoted and that may make a difference. */
export type Cell = string;

const QUOTE = '"';
const EMPTY_TEXT = Buffer.from('""');
const QUOTED_NULL = Buffer.from('"\\N"');

/**
 * The same with cells that tell whether they are quoted: `""` is an empty text and `"\N"` a text, where nothing is an absent field and `\N`
 * null. To find that out costs time, so it is done where it makes a difference.
 * @param always whether it does for every cell.
 */
export function parseCells(bytes: Uint8Array, delimiter: string, always: boolean): Cell[][] | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return recordsIn(bytes, delimiter, always || buffer.includes(EMPTY_TEXT) || buffer.includes(QUOTED_NULL));
}

const QUOTE_BYTE = 0x22;
const NEWLINE = 0x0a;

/**
 * How many cells a record has; null if it is none. It is what the parser would find, without its time and memory: one row may be millions of cells.
 * @param record without the end of its line.
 */
export function countCells(record: Uint8Array, delimiter: string): number | null {
  const separator = delimiter.charCodeAt(0);
  let cells = 1;
  let isAtBegin = true;
  for (let at = 0; at < record.length; at++) {
    const byte = record[at];
    if (byte === separator) {
      cells += 1;
      isAtBegin = true;
    } else if (byte === NEWLINE) return null;
    else if (byte !== QUOTE_BYTE) isAtBegin = false;
    else if (!isAtBegin) return null;
    else {
      at = closingQuote(record, at);
      // nothing but a delimiter follows a quoted cell
      if (at < 0 || (at + 1 < record.length && record[at + 1] !== separator)) return null;
      isAtBegin = false;
    }
  }
  return cells;
}

/** The quote that ends the cell that begins with one; -1 if none does. */
function closingQuote(record: Uint8Array, start: number): number {
  for (let at = record.indexOf(QUOTE_BYTE, start + 1); at >= 0; at = record.indexOf(QUOTE_BYTE, at + 1)) {
    if (record[at + 1] !== QUOTE_BYTE) return at;
    at += 1;
  }
  return -1;
}

function recordsIn(text: string | Uint8Array, delimiter: string, marksQuoted: boolean): string[][] | null {
  try {
    return parse(text as Buffer, {
      delimiter,
      relax_column_count: true,
      record_delimiter: ['\n', '\r\n'],
      // a cell that is not quoted does not begin with a quote
      ...(marksQuoted && { cast: (cell, { quoting }) => (quoting ? QUOTE + cell : cell) }),
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

/** How the cells of a column are read. */
export type Kind = 'string' | 'number' | 'boolean' | 'json';

/** What the schema says about the cells of a column. */
export interface CellType {
  readonly kind: Kind;
  /** Of texts: what a cell may be that is not quoted. */
  readonly bare?: readonly Kind[];
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
/** A cell that means null. */
const NULL = '\\N';

/** The JSON text of a cell; null: it says nothing. What cannot be read by its type stays a text, which fails the row. */
export function cellText(cell: Cell, { kind, bare = [] }: CellType): string | null {
  if (cell.startsWith(QUOTE)) {
    const text = cell.slice(1);
    // of other types, a program that quotes every cell means nothing
    if (text === '' && kind !== 'string') return null;
    return typedText(text, kind) ?? JSON.stringify(text);
  }
  if (cell === '') return null;
  if (cell === NULL) return 'null';
  for (const one of bare) {
    const typed = typedText(cell, one);
    if (typed !== null) return typed;
  }
  return typedText(cell, kind) ?? JSON.stringify(cell);
}

function typedText(text: string, kind: Kind): string | null {
  if (kind === 'number' && NUMBER.test(text)) return text;
  if (kind === 'boolean' && (text === 'true' || text === 'false')) return text;
  return kind === 'json' && isJson(text) ? text : null;
}
