import { Readable } from 'node:stream';
import { z } from '@hono/zod-openapi';
import { stringify } from 'csv-stringify';
import { accepts } from 'hono/accepts';
import { AnswerRoom } from '../../../domain/batch/answer-room.ts';
import { ITEM_STATUSES, type ItemStatus } from '../../../domain/batch/outcome.ts';
import { totalText } from '../../../domain/batch/total.ts';
import { exactJson } from '../../../domain/json/exact.ts';
import { parseJson } from '../../../domain/json/parse.ts';
import { MAX_ITEMS_PAGE_LIMIT } from '../../../domain/limits.ts';
import { batchItems, countItems, type ItemView, type ListedItem } from '../../../services/batches/list-items.ts';
import type { BatchDocument } from '../../../store/batches/batches.ts';
import type { RowReader } from '../../../store/items/sent-rows.ts';
import { badRequest } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';
import type { ListPlace } from '../../http/cursors.ts';
import { type Api, defineRoute, faults, pageQuery, queryEnum } from '../../http/define-route.ts';
import { paginationOf } from '../../http/pagination.ts';
import { CSV, NDJSON, ndjsonLine, rowReader, streamAll, streamOfRows } from '../../http/streams.ts';
import { ItemList } from './batch-schemas.ts';
import { batchOf } from './find-batch.ts';
import { rowText } from './row-text.ts';

const CSV_COLUMNS = [
  'index',
  'externalId',
  'status',
  'action',
  'attempts',
  'errorCodes',
  'errors',
  'missingDependencies',
  'missingTotal',
] as const;

/** Every text is quoted. One that begins with = + - @ would be run as a formula by a spreadsheet: it gets a `'` in front. */
const CSV_OPTIONS = { header: true, columns: [...CSV_COLUMNS], quoted_string: true, escape_formulas: true };

const TYPES = ['application/json', NDJSON, CSV];

/** The items of a batch: in pages, or all of them streamed as NDJSON or CSV. */
export function itemRoutes(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/batches/{batchId}/items',
      operationId: 'listBatchItems',
      tags: ['Batches'],
      summary: 'Items of a batch with their outcomes, in index order',
      description:
        'With `Accept: application/x-ndjson` or `text/csv` all of them, streamed, without cursor or limit. `include=resource` adds what was sent, as JSON only; a page ends early where items are large.',
      params: z.object({ batchId: z.string() }),
      query: z.object({
        status: queryEnum(ITEM_STATUSES),
        include: queryEnum(['resource']).openapi({
          description:
            '`resource`: each item with the JSON that was sent (the text of a row of an import that is none), and the line of such a row. Absent where nothing was kept: of the ids of a delete, and of what was refused unread',
        }),
        ...pageQuery({ max: MAX_ITEMS_PAGE_LIMIT, defaultLimit: 100 }),
      }),
      responses: {
        200: {
          description: 'Items',
          content: {
            'application/json': { schema: ItemList },
            'application/x-ndjson': { schema: z.string() },
            'text/csv': { schema: z.string() },
          },
        },
        ...faults(404),
      },
    },
    async (c, { params: { batchId }, query }) => {
      const batch = await batchOf(c, batchId);
      switch (accepts(c, { header: 'Accept', supports: TYPES, default: 'application/json' })) {
        case NDJSON:
          return streamAll(c, NDJSON, 'items', () =>
            streamOfRows(rowReader(c, batch.scope), (reader) => ndjson(itemsOf(c, batch, query, reader))),
          );
        case CSV:
          if (query.include !== undefined) throw badRequest(`include: not for ${CSV}; ${NDJSON} has the resources`);
          return streamAll(c, CSV, 'items', () =>
            streamOfRows(rowReader(c, batch.scope), (reader) => csv(itemsOf(c, batch, query, reader))),
          );
        default:
          return page(c, batch, query);
      }
    },
  );
}

interface ItemsQuery {
  readonly status?: ItemStatus | undefined;
  readonly include?: 'resource' | undefined;
}

const itemsOf = (
  c: ApiContext,
  batch: BatchDocument,
  { status, include }: ItemsQuery,
  reader: RowReader,
  from = 0,
): AsyncGenerator<ListedItem> =>
  batchItems(c.var.services.database, batch, reader, { status, from, withSent: include !== undefined });

/** Answers with items as texts: what was sent goes into them as it is, because what is written anew might be another text. */
async function page(
  c: ApiContext,
  batch: BatchDocument,
  query: ItemsQuery & { cursor?: string | undefined; limit: number },
): Promise<Response> {
  const place: ListPlace = { list: `items of ${batch._id}`, filter: [query.status ?? ''] };
  const { cursors } = c.var.services;
  const after = await cursors.decodeIndex(c.var.scope, place, query.cursor);
  const total = await countItems(c.var.services.database, batch, query.status);
  const room = new AnswerRoom();
  const results: string[] = [];
  let last = 0;
  let cursor: string | null = null;
  // what is read is turned to text at once: nobody waits for it long
  const reader = rowReader(c, batch.scope);
  for await (const listed of itemsOf(c, batch, query, reader, after === null ? 0 : after + 1)) {
    const text = textOf(listed);
    if (results.length === query.limit || !room.takeText(text)) {
      cursor = await cursors.encode(c.var.scope, place, String(last));
      break;
    }
    results.push(text);
    last = listed.item.index;
  }
  const message = JSON.stringify(totalText(total, 'item', 'items'));
  const pagination = JSON.stringify(paginationOf(total, cursor));
  const answer = `{"success":true,"message":${message},"data":{"results":[${results.join(',')}],"pagination":${pagination}}}`;
  return c.body(answer, 200, { 'Content-Type': 'application/json' });
}

/** An item as JSON, with what was sent of it. */
function textOf({ item, sent }: ListedItem): string {
  const text = JSON.stringify(item);
  if (sent === undefined || sent.text === '') return text;
  if (sent.line > 0) return `${text.slice(0, -1)},"line":${sent.line},"resource":${rowText(sent)}}`;
  return `${text.slice(0, -1)},"resource":${exactBody(sent.text)}}`;
}

/** A body as it is stored, with every digit of its integers. */
const exactBody = (json: string): string => (/\d{16}/.test(json) ? exactJson(parseJson(json)) : json);

function ndjson(items: AsyncIterable<ListedItem>): Readable {
  return Readable.from(
    (async function* () {
      for await (const listed of items) yield Buffer.from(ndjsonLine(textOf(listed)));
    })(),
  );
}

function csv(items: AsyncIterable<ListedItem>): Readable {
  return Readable.from(items, { objectMode: true })
    .map(({ item }: ListedItem) => toRow(item))
    .compose(stringify(CSV_OPTIONS)) as unknown as Readable;
}

const toRow = ({
  index,
  externalId,
  status,
  action,
  attempts,
  errors,
  missingDependencies,
  missingTotal,
}: ItemView) => ({
  index,
  externalId: externalId === null ? null : harmless(externalId),
  status,
  action,
  attempts,
  errorCodes: errors?.map((error) => error.code).join(' '),
  errors: errors && harmless(errors.map((error) => error.message).join('; ')),
  missingDependencies:
    missingDependencies &&
    harmless(missingDependencies.map(({ schemaName, externalId: id }) => `${schemaName}:${id}`).join(' ')),
  missingTotal,
});

/**
 * A spreadsheet that ends a cell at `;`, a tab or a line break, quoted or not, would read the text after it as a formula.
 */
const harmless = (text: string): string => text.replaceAll(/([;\t\r\n]\s*)(?=[=+\-@])/g, "$1'");
