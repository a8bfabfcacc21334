import type { SentItem, SentRequest } from '../record/journal.ts';
import type { Json, JsonObject } from './answers.ts';
import { type Kind, kindOf } from './definitions.ts';

/** The files of imports: written by the workload, and known to the checker. */

/** By its label an import is found whose answer was lost. */
export const labelOf = ({ tenant, number }: SentRequest): string => `${tenant}.${number}`;

/** The columns of a file of CSV: every field of a kind, fields inside of another by their path. */
export const columnsOf = ({ idField, texts, references }: Kind): string[] => [
  idField,
  ...texts,
  'size',
  ...references.map(({ path }) => path.join('.')),
];

/** A row as the file has it, without the end of its line. */
export function textOf(request: SentRequest, { body = {}, text }: SentItem): string {
  if (text !== undefined) return text;
  if (request.import?.format !== 'csv') return JSON.stringify(body);
  return cellsOf(kindOf(request.kind), body).map(quoted).join(',');
}

/** The cells of a row of CSV. */
export const cellsOf = (kind: Kind, body: JsonObject): string[] =>
  columnsOf(kind).map((column) => cellOf(body, column));

function cellOf(body: JsonObject, column: string): string {
  let value: Json | undefined = body;
  for (const name of column.split('.')) value = (value as JsonObject | undefined)?.[name];
  if (value === undefined) return '';
  if (value === null) return '\\N';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

const header = (request: SentRequest): string =>
  request.import?.format === 'csv' ? `${columnsOf(kindOf(request.kind)).join(',')}\n` : '';

const linesOf = (request: SentRequest, items: readonly SentItem[]): string =>
  items.map((item) => `${textOf(request, item)}\n`).join('');

/** The whole file. */
export const contentOf = (request: SentRequest): Buffer =>
  Buffer.from(header(request) + linesOf(request, request.items));

/** Its parts: all but the last one end in the middle of a row, if they can. */
export function partsOf(request: SentRequest): Buffer[] {
  const content = contentOf(request);
  const parts: Buffer[] = [];
  let [rows, at] = [0, 0];
  for (const count of request.import?.parts ?? []) {
    rows += count;
    const isLast = parts.length + 1 === request.import?.parts?.length;
    const end = Buffer.byteLength(header(request) + linesOf(request, request.items.slice(0, rows)));
    const to = isLast ? content.length : Math.max(at + 1, end - 3);
    parts.push(content.subarray(at, to));
    at = to;
  }
  return parts;
}

/** Records of CSV (RFC 4180), with commas. */
export function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  let [cells, cell, isQuoted]: [string[], string, boolean] = [[], '', false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') cell += text[++at];
      else isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === ',') [cells, cell] = [[...cells, cell], ''];
    else if (character === '\n') {
      records.push([...cells, cell]);
      [cells, cell] = [[], ''];
    } else if (character !== '\r') cell += character;
  }
  return records;
}
