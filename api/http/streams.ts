import { Readable } from 'node:stream';
import { createMiddleware } from 'hono/factory';
import { DroverError } from '../../domain/errors.ts';
import type { RowReader } from '../../store/items/sent-rows.ts';
import { badRequest } from './api-error.ts';
import type { ApiContext, ApiEnv } from './context.ts';

/** Types of an answer that has everything in a list, as a stream. */
export const NDJSON = 'application/x-ndjson';
export const CSV = 'text/csv';

/**
 * The headers of a stream for a HEAD, which the handlers of GET answer as well: an unread stream would never end. Null for a GET.
 */
export function headOnly(c: ApiContext, type: string): Response | null {
  return c.req.method === 'HEAD' ? c.body(null, 200, { 'Content-Type': type }) : null;
}

/**
 * Everything in a list, as it is read; a HEAD reads nothing.
 * @param what the entries, for messages.
 * @throws DroverError 400 if the request names a page.
 */
export function streamAll(c: ApiContext, type: string, what: string, open: () => Readable): Response {
  const paging = ['cursor', 'limit'].filter((name) => c.req.query(name));
  if (paging.length > 0) throw badRequest(...paging.map((name) => `${name}: not for ${type}, which has all ${what}`));
  const full = type === CSV ? `${CSV}; charset=utf-8; header=present` : type;
  const head = headOnly(c, full);
  if (head !== null) return head;
  const content = open();
  content.on('error', (error) =>
    c.var.services.logger.warn({ err: error, requestId: c.var.requestId }, `a stream of ${what} was interrupted`),
  );
  return c.body(Readable.toWeb(content) as ReadableStream, 200, { 'Content-Type': full });
}

/** Who reads rows for an answer: those of one tenant share its part of the memory. */
export const rowReader = (c: ApiContext, owner: string): RowReader => ({
  memory: c.var.services.rowMemory,
  owner,
  end: () => undefined,
});

/** A stream of rows, which ends if its caller does not read on while others wait for the memory that it holds. */
export function streamOfRows(reader: RowReader, open: (reader: RowReader) => Readable): Readable {
  const error = new DroverError('memory_exceeded', 'the stream was not read on while others waited for its memory');
  const content = open({ ...reader, end: () => content.destroy(error) });
  return content;
}

/** A line of NDJSON. U+2028 and U+2029 end a line for some readers. */
export const ndjsonLine = (json: string): string =>
  `${json.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}\n`;

/** Cancels the body of the answer to a HEAD: it is not sent. */
export const dropBodyOfHead = createMiddleware<ApiEnv>(async (c, next) => {
  await next();
  if (c.req.method === 'HEAD') await c.res.body?.cancel();
});
