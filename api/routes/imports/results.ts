import { Readable } from 'node:stream';
import { z } from '@hono/zod-openapi';
import { ITEM_STATUSES } from '../../../domain/batch/outcome.ts';
import { importResults, type RowResult } from '../../../services/imports/import-results.ts';
import { type Api, defineRoute, faults, queryEnum } from '../../http/define-route.ts';
import { headOnly, rowReader, streamOfRows } from '../../http/streams.ts';
import { rowText } from '../batches/row-text.ts';
import { csvLines } from './csv-results.ts';
import { importOf } from './find-import.ts';
import { importParams } from './import-schemas.ts';
import { CONTENT_TYPES } from './start-import.ts';

/** Bytes that are sent at a time, rather than each row on its own. */
const SENT_AT_ONCE = 65_536;

/** The rows of an import as they were sent, with their outcomes. */
export function importResultsRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/imports/{importId}/results',
      operationId: 'listImportResults',
      tags: ['Imports'],
      params: importParams,
      query: z.object({ status: queryEnum(ITEM_STATUSES) }),
      summary: 'The rows of an import as they were sent, with their outcomes, streamed',
      description:
        'In the order and in the format of the file. JSON: `{line, row, status, action?, errors?}`; the row is the JSON that was sent, or its text if it is malformed. CSV: the columns of the file, and `_line`, `_status`, `_action` and `_errors`, which an import passes over; a row that does not fit the header is one cell with its text. At most 64 KiB are kept of a row that is too long.',
      responses: {
        200: {
          description: 'Rows',
          content: Object.fromEntries(Object.values(CONTENT_TYPES).map((type) => [type, { schema: z.string() }])),
        },
        ...faults(404),
      },
    },
    async (c, { params: { importId }, query: { status } }) => {
      const { database, logger } = c.var.services;
      const { _id, scope, format, csv } = await importOf(c, importId);
      const type = format === 'csv' ? 'text/csv; charset=utf-8; header=present' : CONTENT_TYPES.ndjson;
      const head = headOnly(c, type);
      if (head !== null) return head;
      const content = streamOfRows(rowReader(c, scope), (reader) => {
        const rows = importResults(database, _id, reader, status);
        return Readable.from(inPieces(format === 'csv' ? csvLines(rows, csv) : ndjsonLines(rows)), {
          objectMode: false,
        });
      });
      content.on('error', (error) =>
        logger.warn({ err: error, requestId: c.var.requestId }, 'a stream of results was interrupted'),
      );
      return c.body(Readable.toWeb(content) as ReadableStream, 200, { 'Content-Type': type });
    },
  );
}

async function* ndjsonLines(pages: AsyncIterable<readonly RowResult[]>): AsyncGenerator<Iterable<string>> {
  for await (const results of pages) yield linesOf(results);
}

function* linesOf(results: readonly RowResult[]): Generator<string> {
  for (const result of results) yield lineOf(result);
}

async function* inPieces(pages: AsyncIterable<Iterable<string>>): AsyncGenerator<Buffer> {
  let text = '';
  for await (const lines of pages) {
    for (const line of lines) {
      text += `${line}\n`;
      if (text.length < SENT_AT_ONCE) continue;
      yield Buffer.from(text);
      text = '';
    }
  }
  if (text !== '') yield Buffer.from(text);
}

/** The row stays the text that it was: what is written anew might not be what was sent. U+2028 and U+2029 end a line for some readers. */
function lineOf({ row, ...outcome }: RowResult): string {
  return `{"line":${row.line},"row":${rowText(row)},${JSON.stringify(outcome).slice(1)}`
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}
