import type { Database } from '../mongodb/database.ts';
import { itemPagesIn, pageId } from './item-pages.ts';

/** An item as it was sent. */
export interface SentRow {
  readonly externalId: string | null;
  /** Of a row of an import: its line in the file; 0 of an item of a request. */
  readonly line: number;
  /** Empty if it is not kept: the id of a delete, and what a request was refused for before it was read. */
  readonly text: string;
  /** The text is the JSON text of the item's body; otherwise it may be anything. */
  readonly isBody: boolean;
  /** It was read; otherwise it is malformed, or has a flaw. */
  readonly hasBody: boolean;
}

/** Pages that are read in one command: one, because many may ask for an item of a large page at the same time; more if they turn out to be small. */
const FIRST_PAGES_AT_ONCE = 1;
const MOST_PAGES_AT_ONCE = 20;
/** Characters of the pages just read, below and above which more or fewer are read at a time. */
const SMALL = 1024 * 1024;
const LARGE = 4 * 1024 * 1024;

/** The items of some pages of a batch as they were sent, page by page in the order asked for: memory stays bounded, however large they are. */
export async function* sentRows(
  database: Database,
  batchId: string,
  pages: readonly number[],
): AsyncGenerator<readonly [page: number, rows: SentRow[]]> {
  let size = FIRST_PAGES_AT_ONCE;
  for (let at = 0; at < pages.length; ) {
    const some = pages.slice(at, at + size);
    const read = await readSentRows(database, batchId, some);
    at += some.length;
    let characters = 0;
    for (const page of some) {
      const rows = read.get(page) ?? [];
      for (const { text } of rows) characters += text.length;
      yield [page, rows];
    }
    size = characters > LARGE ? 1 : characters < SMALL ? Math.min(4 * size, MOST_PAGES_AT_ONCE) : size;
  }
}

async function readSentRows(
  database: Database,
  batchId: string,
  pages: readonly number[],
): Promise<Map<number, SentRow[]>> {
  const documents = await itemPagesIn(database)
    .find({ _id: { $in: pages.map((page) => pageId(batchId, page)) } })
    .toArray();
  return new Map(
    documents.map(({ _id, ids, bodies = [], lines = [], sent = {} }) => [
      Number(_id.slice(batchId.length + 1)),
      ids.map((externalId, offset) => ({
        externalId,
        line: lines[offset] ?? 0,
        text: sent[offset] ?? bodies[offset] ?? '',
        isBody: sent[offset] === undefined,
        hasBody: Boolean(bodies[offset]),
      })),
    ]),
  );
}
