/** One page of a list. */
export interface Page<T> {
  readonly results: readonly T[];
  readonly pagination: {
    readonly hasNextPage: boolean;
    /** Entries of all pages together, at this moment: exact up to 10,000, and 10,000 beyond that. */
    readonly total: number;
    /** There are more than `total`. */
    readonly totalIsCapped?: true;
    /** Requests the next page; null on the last one. */
    readonly cursor: string | null;
  };
}

/** A list that is read page by page, during iteration: `for await (const batch of client.batches.list())`. */
export class PagedList<T> implements AsyncIterable<T> {
  readonly #read: (cursor: string | undefined) => Promise<Page<T>>;

  /** @param read a page; without a cursor the first one. */
  constructor(read: (cursor: string | undefined) => Promise<Page<T>>) {
    this.#read = read;
  }

  /** One page. @param cursor the cursor of the page before. Default: the first page. @throws DroverError */
  page(cursor?: string): Promise<Page<T>> {
    return this.#read(cursor);
  }

  /** All pages, one after the other. @throws DroverError */
  async *pages(): AsyncGenerator<Page<T>, void> {
    let cursor: string | null = null;
    do {
      const page: Page<T> = await this.#read(cursor ?? undefined);
      yield page;
      cursor = page.pagination.cursor;
    } while (cursor !== null);
  }

  /** All entries, in the order of the list. @throws DroverError */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for await (const { results } of this.pages()) yield* results;
  }

  /** All entries at once: for lists that fit into memory. @throws DroverError */
  async toArray(): Promise<T[]> {
    const entries: T[] = [];
    for await (const { results } of this.pages()) entries.push(...results);
    return entries;
  }
}
