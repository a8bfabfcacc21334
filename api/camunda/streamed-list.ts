import { Readable } from 'node:stream';
import type { ApiContext } from '../http/context.ts';
import { headOnly } from '../http/streams.ts';

/** Length of the text that is written at once, in UTF-16 code units. */
const PART_LENGTH = 16_384;

/**
 * Answers with a JSON array that is written as its entries are read: a list without `maxResults` has every entry, which may
 * exceed memory. A failure before the first entry is an error answer; a later one breaks the connection, so that no caller mistakes
 * a part for the whole list.
 * @param entries each as JSON; read only as fast as the caller receives them, and not at all for a HEAD.
 */
export async function streamedList(c: ApiContext, entries: AsyncGenerator<string, void>): Promise<Response> {
  const head = headOnly(c, 'application/json');
  if (head !== null) return head;
  const first = await entries.next();
  if (first.done) return c.json([]);
  const content = Readable.from(parts(first.value, entries));
  content.on('error', (error) =>
    c.var.services.logger.warn(
      { err: error, requestId: c.var.requestId },
      'a list of the Camunda façade was interrupted',
    ),
  );
  // a caller may disconnect before anything is read: `parts` has not begun then, and would not close `entries`
  content.once('close', () => void entries.return());
  return c.body(Readable.toWeb(content) as ReadableStream, 200, { 'Content-Type': 'application/json' });
}

async function* parts(first: string, others: AsyncGenerator<string, void>): AsyncGenerator<Buffer, void> {
  let part = `[${first}`;
  for await (const entry of others) {
    part += `,${entry}`;
    if (part.length < PART_LENGTH) continue;
    yield Buffer.from(part);
    part = '';
  }
  yield Buffer.from(`${part}]`);
}
