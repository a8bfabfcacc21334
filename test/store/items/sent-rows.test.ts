import { expect, test } from 'vitest';
import { sentRows } from '../../../store/items/sent-rows.ts';
import type { Database } from '../../../store/mongodb/database.ts';

/** A store of pages of one item. @param asked told how many are read at a time. */
const pagesOf = (text: string, asked: (pages: number) => void) =>
  ({
    collection: () => ({
      find: ({ _id: { $in } }: { _id: { $in: string[] } }) => {
        asked($in.length);
        return { toArray: async () => $in.map((_id) => ({ _id, ids: ['x'], bodies: [text] })) };
      },
    }),
  }) as unknown as Database;

async function sizesOf(text: string): Promise<number[]> {
  const sizes: number[] = [];
  const all = Array.from({ length: 30 }, (_, page) => page);
  const read: number[] = [];
  for await (const [page] of sentRows(
    pagesOf(text, (n) => sizes.push(n)),
    'batch',
    all,
  ))
    read.push(page);
  expect(read).toEqual(all);
  return sizes;
}

test('whoever asks for one item has one page read; large pages stay one at a time, small ones become many', async () => {
  expect(await sizesOf('x')).toEqual([1, 4, 16, 9]);
  expect(await sizesOf('x'.repeat(5_000_000))).toEqual(Array.from({ length: 30 }, () => 1));
});
