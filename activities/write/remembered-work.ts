import { BoundedCache } from '../../domain/collections/bounded-cache.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import {
  type ItemPageDocument,
  type ItemPages,
  pageId,
  pagesWith,
  readItemPages,
} from '../../store/items/item-pages.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** Batches that a process remembers. */
const BATCH_LIMITS = { bytes: 500, bytesPerGroup: 500 };
/** Memory of pages in one process, in bytes as estimated, and the share that one batch can have of it. */
const PAGE_LIMITS = { bytes: 32 * 1024 * 1024, bytesPerGroup: 8 * 1024 * 1024 };
const BYTES_PER_CHARACTER = 2;

type PagedBatch = Pick<BatchDocument, '_id' | 'pageSize'>;

/**
 * What activities of this process have read of the batches that they work on, for the next activities of the same batches. Reads that are
 * under way are shared too.
 */
export class RememberedWork {
  readonly #database: Database;
  readonly #batches = new BoundedCache<Promise<BatchDocument | null>>(BATCH_LIMITS);
  readonly #pages = new BoundedCache<Promise<ItemPageDocument | undefined>>(PAGE_LIMITS);

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * A batch as it was a moment ago; null if it was not found, absent if it is not remembered. What may have changed has to be checked
   * before anything is written.
   */
  batch(batchId: string): Promise<BatchDocument | null> | undefined {
    // the error of another attempt's read is not that of this one
    return this.#batches.get(batchId)?.catch(() => null);
  }

  /** Remembers a batch that is being read, until `forget`. */
  remember(batchId: string, reading: Promise<BatchDocument | null>): void {
    // its reader has the error
    reading.catch(() => this.forget(batchId));
    this.#batches.set('', batchId, reading, 1);
  }

  forget(batchId: string): void {
    this.#batches.delete(batchId);
  }

  /** The pages that hold some items: they never change. Those of which an activity needs a part only are remembered for the others. */
  async pages(batch: PagedBatch, indexes: readonly number[]): Promise<ItemPages> {
    if (indexes.length >= batch.pageSize) return readItemPages(this.#database, batch, indexes);
    const idOf = (index: number): string => pageId(batch._id, Math.floor(index / batch.pageSize));
    const shared = new Map(indexes.map((index) => [idOf(index), this.#pages.get(idOf(index))]));
    const unknown = indexes.filter((index) => shared.get(idOf(index)) === undefined);
    // nothing is awaited before: activities that begin together share one read
    const [read, found] = await Promise.all([
      unknown.length === 0 ? NO_PAGES : this.#read(batch, unknown),
      foundOf(shared),
    ]);
    const failed = indexes.filter((index) => !read.has(idOf(index)) && !found.has(idOf(index)));
    return new Map([...read, ...found, ...(failed.length === 0 ? [] : await this.#read(batch, failed))]);
  }

  async #read(batch: PagedBatch, indexes: readonly number[]): Promise<ItemPages> {
    const reading = readItemPages(this.#database, batch, indexes);
    const ids = pagesWith(batch, indexes).map((page) => pageId(batch._id, page));
    for (const id of ids) {
      const page = reading.then((pages) => pages.get(id));
      page.catch(() => this.#pages.delete(id));
      this.#pages.set(batch._id, id, page, 0);
    }
    const pages = await reading;
    for (const id of ids) {
      const page = pages.get(id);
      if (page === undefined) this.#pages.delete(id);
      else this.#pages.set(batch._id, id, Promise.resolve(page), bytesOf(page));
    }
    return pages;
  }
}

const NO_PAGES: ItemPages = new Map();

/** The pages that are shared, without those whose read has failed for its attempt. */
async function foundOf(
  shared: ReadonlyMap<string, Promise<ItemPageDocument | undefined> | undefined>,
): Promise<Map<string, ItemPageDocument>> {
  const found = new Map<string, ItemPageDocument>();
  for (const [id, reading] of shared) {
    const page = await reading?.catch(() => undefined);
    if (page !== undefined) found.set(id, page);
  }
  return found;
}

const bytesOf = ({ ids, bodies = [] }: ItemPageDocument): number =>
  BYTES_PER_CHARACTER * [...ids, ...bodies].reduce((sum, text) => sum + (text?.length ?? 0), 0);
