import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SharedMemory } from '../../../domain/collections/shared-memory.ts';
import { type PageOfBatch, readPages, readSentRows } from '../../../store/items/sent-rows.ts';
import type { Database } from '../../../store/mongodb/database.ts';

const MIB = 1024 * 1024;

/** A store of pages of one item. @param asked told which are read at a time. */
const pagesOf = (text: string, asked: (ids: string[]) => void) =>
  ({
    collection: () => ({
      find: ({ _id: { $in } }: { _id: { $in: string[] } }) => {
        asked($in);
        return cursor($in.map((_id) => ({ _id, ids: ['x'], bodies: [text] })));
      },
    }),
  }) as unknown as Database;

const cursor = (documents: object[]) => ({
  project: () => cursor(documents),
  toArray: async () => documents,
});

const PAGES = Array.from({ length: 60 }, (_, page) => ({ batchId: page < 50 ? 'a' : 'b', page }));
const memoryOf = (owner: string, memory = new SharedMemory(256 * MIB)) => ({ memory, owner, end: () => undefined });
const sentPages = (database: Database, pages: readonly PageOfBatch[], reader: ReturnType<typeof memoryOf>) =>
  readPages(database, pages, reader, {
    prepare: async (some) => ({ pages: some, bytes: 0 }),
    read: readSentRows,
  });

async function sizesOf(text: string): Promise<number[]> {
  const sizes: number[] = [];
  const read: number[] = [];
  const database = pagesOf(text, ({ length }) => sizes.push(length));
  for await (const [{ page }, rows] of sentPages(database, PAGES, memoryOf('tenant'))) {
    expect(rows.map((row) => row.text)).toEqual([text]);
    read.push(page);
  }
  expect(read).toEqual(PAGES.map(({ page }) => page));
  return sizes;
}

test('whoever asks for one item has one page read; large pages stay one at a time, small ones become many, of one batch each time', async () => {
  expect(await sizesOf('x')).toEqual([1, 4, 16, 20, 9, 10]);
  expect(await sizesOf('x'.repeat(5_000_000))).toEqual(PAGES.map(() => 1));
});

test('small pages are read ahead once a reader has read on', async () => {
  const asked: string[][] = [];
  const reading = sentPages(
    pagesOf('x', (ids) => asked.push(ids)),
    PAGES,
    memoryOf('tenant'),
  );
  await reading.next();
  await setImmediate();
  expect(asked.flat()).toEqual(['a/0']);
  await reading.next();
  await setImmediate();
  expect(asked.map(({ length }) => length)).toEqual([1, 4, 16]);
  await reading.return(undefined);
});

test('a failure to read ahead is thrown to who reads on, once all before it is read; who does not leaves nothing behind', async () => {
  const memory = new SharedMemory(256 * MIB);
  const failing = (ids: string[]) => {
    if (ids.includes('a/21')) throw new Error('an outage');
  };
  for (const pages of [30, 10]) {
    const reading = sentPages(pagesOf('x', failing), PAGES, memoryOf('tenant', memory));
    let read = 0;
    const readOn = async () => {
      for (; read < pages; read++) {
        await reading.next();
        await setImmediate();
      }
    };
    if (pages === 30) await expect(readOn()).rejects.toThrow('an outage');
    else await readOn();
    expect(read).toBe(Math.min(pages, 21));
    await reading.return(undefined);
    await setImmediate();
    expect(memory.held).toBe(0);
  }
});

test('readers of large pages wait for memory that others hold, and hold what they have read until they read on', async () => {
  const memory = new SharedMemory(256 * MIB);
  let reads = 0;
  const text = 'x'.repeat(14 * MIB);
  const readers = Array.from({ length: 30 }, (_, n) =>
    sentPages(
      pagesOf(text, () => {
        reads += 1;
      }),
      PAGES.slice(0, 2),
      memoryOf(`tenant ${n}`, memory),
    ),
  );
  const first = readers.map((reader) => reader.next());
  await Promise.race(first);
  for (let n = 0; n < 100; n++) await setImmediate();
  // a page takes 28 MiB; a further reader gets half of what is left as long as that is a little
  expect(reads).toBeGreaterThanOrEqual(8);
  expect(reads).toBeLessThanOrEqual(14);
  for (const [at, reader] of readers.entries()) {
    expect((await first[at])?.value?.[1][0]?.text).toHaveLength(text.length);
    await reader.return(undefined);
  }
  expect(reads).toBe(30);
  expect(memory.held).toBe(0);
});
