import { quotedText } from '../../../domain/csv/cell.ts';
import { type CsvFormat, RESULT_COLUMNS } from '../../../domain/imports/csv.ts';
import { countCells } from '../../../domain/imports/csv-cells.ts';
import type { RowResult } from '../../../services/imports/import-results.ts';

/** Rows of a file of CSV as they were sent, with a cell for each of the columns that results add; a page of lines at a time. */
export async function* csvLines(
  pages: AsyncIterable<readonly RowResult[]>,
  csv: CsvFormat | undefined,
): AsyncGenerator<Iterable<string>> {
  // without a header nothing was read yet
  if (csv === undefined) return;
  const { header, delimiter } = csv;
  yield [[...header, ...RESULT_COLUMNS].map(cell).join(delimiter)];
  for await (const results of pages) yield linesOf(results, csv);
}

function* linesOf(results: readonly RowResult[], csv: CsvFormat): Generator<string> {
  for (const { row, status, action, errors } of results) {
    const messages = errors?.map(({ code, message }) => `${code}: ${message}`).join('; ');
    const outcome = [String(row.line), status, action ?? '', messages ?? ''];
    yield [asSent(row.text, csv, row.hasBody), ...outcome.map(cell)].join(csv.delimiter);
  }
}

/** The text of a row, if it has as many cells as the header; a row that cannot be read is one cell, the others are empty. */
function asSent(text: string, { header, delimiter }: CsvFormat, hasBody: boolean): string {
  if (hasBody || countCells(Buffer.from(text), delimiter) === header.length) return text;
  return `${cell(text)}${delimiter.repeat(header.length - 1)}`;
}

const cell = (text: string): string => (text === '' ? '' : quotedText(text));
