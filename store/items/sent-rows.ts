import type { HeldMemory, MemoryHolder, SharedMemory } from '../../domain/collections/shared-memory.ts';
import type { Database } from '../mongodb/database.ts';
import { type ItemPageDocument, itemPagesIn, pageId, sentId } from './item-pages.ts';

/** An item as it was sent. */
export interface SentRow {
  readonly externalId: string | null;
  /** Of a row of an import: its line in the file; 0 of an item of a request. */
  readonly line: number;
  /** Empty if it is not kept: the id of a delete, and what a request was refused for before it was read. */
  readonly text: string;
  /** The text is JSON; undefined if that was not noted: an earlier version has stored it. */
  readonly isJson: boolean | undefined;
  /** It was read; otherwise it is malformed, or has a flaw. */
  readonly hasBody: boolean;
}

/** A page of a batch whose rows are read. */
export interface PageOfBatch {
  readonly batchId: string;
  readonly page: number;
}

/** Memory that readers of rows share, and who reads. */
export interface RowReader extends MemoryHolder {
  readonly memory: SharedMemory;
}

/** How pages are read. */
interface PageReading<Wanted, Row> {
  /** Reads first what decides which of some pages of one batch are wanted. @returns these, and the memory that it has taken. */
  readonly prepare: (
    pages: readonly Wanted[],
  ) => Promise<{ readonly pages: readonly Wanted[]; readonly bytes: number }>;
  readonly read: (database: Database, batchId: string, pages: readonly number[]) => Promise<Map<number, Row[]>>;
}

/** Pages that are read in one command: one, because many may ask for an item of a large page at the same time; more if they turn out to be small. */
const FIRST_PAGES_AT_ONCE = 1;
const MOST_PAGES_AT_ONCE = 20;
/** So many pages are read ahead: whoever has read those before them reads on. */
const LEAST_PAGES_AHEAD = 16;
/** Bytes of the pages just read, below and above which more or fewer are read at a time. */
const SMALL = 2 * 1024 * 1024;
const LARGE = 8 * 1024 * 1024;
/** Memory that the first page is expected to take, in bytes; those that follow, as much as those before them. */
const FIRST_BYTES = 256 * 1024;
const BYTES_PER_CHARACTER = 2;

/**
 * Items of pages, page by page in the order asked for. Memory stays bounded, however large they are and however many
 * readers there are: each waits for its part of the memory, and holds what it has read until it reads on.
 */
export async function* readPages<Wanted extends PageOfBatch, Row extends { readonly text?: string }>(
  database: Database,
  wanted: Iterable<Wanted> | AsyncIterable<Wanted>,
  reader: RowReader,
  reading: PageReading<Wanted, Row>,
): AsyncGenerator<readonly [wanted: Wanted, rows: Row[]]> {
  const source = new PagesInOrder(wanted);
  const read = (size: number, bytes: number) => readPortion(database, source, size, bytes, reader, reading);
  let size = FIRST_PAGES_AT_ONCE;
  let next = read(size, FIRST_BYTES);
  let current: Portion<Wanted, Row> | null = null;
  try {
    for (current = await next; current !== null; current = await next) {
      const { bytes } = current;
      size = bytes > LARGE ? 1 : bytes < SMALL ? Math.min(4 * size, MOST_PAGES_AT_ONCE) : size;
      const isAhead = size >= LEAST_PAGES_AHEAD;
      if (isAhead) {
        next = read(size, bytes);
        // it may fail while those before it are being sent; it is awaited then
        next.catch(() => undefined);
      }
      for (const page of current.pages) yield [page, current.rows.get(page.page) ?? []];
      current.held.release();
      if (!isAhead) next = read(size, bytes);
    }
  } finally {
    current?.held.release();
    // one that is read ahead and that nobody waits for any more
    next.then(
      (portion) => portion?.held.release(),
      () => undefined,
    );
    await source.close();
  }
}

/** Pages of one batch that were read together. */
interface Portion<Wanted, Row> {
  readonly pages: readonly Wanted[];
  readonly rows: ReadonlyMap<number, Row[]>;
  readonly bytes: number;
  readonly held: HeldMemory;
}

async function readPortion<Wanted extends PageOfBatch, Row extends { readonly text?: string }>(
  database: Database,
  source: PagesInOrder<Wanted>,
  size: number,
  expected: number,
  reader: RowReader,
  { prepare, read }: PageReading<Wanted, Row>,
): Promise<Portion<Wanted, Row> | null> {
  const taken = await source.take(size);
  const [first] = taken;
  if (first === undefined) return null;
  const held = await reader.memory.take(reader, expected);
  try {
    const { pages, bytes: ofOutcomes } = await prepare(taken);
    const numbers = pages.map(({ page }) => page);
    const rows = numbers.length === 0 ? new Map<number, Row[]>() : await read(database, first.batchId, numbers);
    let bytes = ofOutcomes;
    for (const some of rows.values())
      for (const { text = '' } of some) bytes += BYTES_OF_A_ROW + text.length * BYTES_PER_CHARACTER;
    held.measured(bytes);
    return { pages, rows, bytes, held };
  } catch (error) {
    held.release();
    throw error;
  }
}

/** What a row takes beside its text: at most its external id. */
const BYTES_OF_A_ROW = 200;

/** The fields of a page that say what was sent. */
const SENT = { ids: 1, bodies: 1, lines: 1, sent: 1, texts: 1, isSentApart: 1 } as const;

/** Items as they were sent, by page. */
export async function readSentRows(
  database: Database,
  batchId: string,
  pages: readonly number[],
): Promise<Map<number, SentRow[]>> {
  const documents = await findPages(
    database,
    pages.map((page) => pageId(batchId, page)),
  );
  const apart = documents.filter(({ isSentApart }) => isSentApart).map(({ _id }) => sentId(_id));
  const sentApart = new Map(
    apart.length === 0 ? [] : (await findPages(database, apart)).map((document) => [document._id, document]),
  );
  return new Map(
    documents.map((document) => {
      const { sent, texts } = sentApart.get(sentId(document._id)) ?? document;
      return [Number(document._id.slice(batchId.length + 1)), rowsOf({ ...document, sent, texts })];
    }),
  );
}

type SentFields = Pick<ItemPageDocument, '_id' | 'ids' | 'bodies' | 'lines' | 'isSentApart'> & {
  readonly sent?: ItemPageDocument['sent'] | undefined;
  readonly texts?: ItemPageDocument['texts'] | undefined;
};

const findPages = (database: Database, ids: readonly string[]): Promise<SentFields[]> =>
  itemPagesIn(database)
    .find({ _id: { $in: [...ids] } })
    .project<SentFields>(SENT)
    .toArray();

function rowsOf({ ids, bodies = [], lines = [], sent = {}, texts }: SentFields): SentRow[] {
  const noJson = texts && new Set(texts);
  return ids.map((externalId, offset) => {
    const other = sent[offset];
    return {
      externalId,
      line: lines[offset] ?? 0,
      text: other ?? bodies[offset] ?? '',
      isJson: other === undefined || (noJson && !noJson.has(offset)),
      hasBody: Boolean(bodies[offset]),
    };
  });
}

/** Pages as they are asked for; those that are taken together are of one batch: all of it has a bound. */
class PagesInOrder<Wanted extends PageOfBatch> {
  readonly #pages: AsyncIterator<Wanted> | Iterator<Wanted>;
  #first: Wanted | undefined;

  constructor(pages: Iterable<Wanted> | AsyncIterable<Wanted>) {
    this.#pages = Symbol.asyncIterator in pages ? pages[Symbol.asyncIterator]() : pages[Symbol.iterator]();
  }

  async take(most: number): Promise<Wanted[]> {
    const taken: Wanted[] = [];
    if (this.#first !== undefined) taken.push(this.#first);
    this.#first = undefined;
    while (taken.length < most) {
      const { value, done } = await this.#pages.next();
      if (done) break;
      if (taken[0] !== undefined && value.batchId !== taken[0].batchId) {
        this.#first = value;
        break;
      }
      taken.push(value);
    }
    return taken;
  }

  async close(): Promise<void> {
    await this.#pages.return?.();
  }
}
