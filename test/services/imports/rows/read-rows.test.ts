import { expect, test, vi } from 'vitest';
import type { CsvFormat } from '../../../../domain/imports/csv.ts';
import * as cells from '../../../../domain/imports/csv-cells.ts';
import { readRows } from '../../../../services/imports/rows/read-rows.ts';

const MIB = 1024 * 1024;
const BEGIN = { part: 1, chunk: 0, offset: 0 };

/** A file of CSV after its header, where no cell is read by a type: so the parser has most to do. @param read told how many bytes are read. */
const sourceOf = (text: string, header: readonly string[], read: (bytes: number) => void = () => undefined) => ({
  cut: { ...BEGIN, line: 2 },
  csv: { header, delimiter: ',', columns: [] } satisfies CsvFormat,
  contentAt: ({ offset }: { offset: number }) => ({
    isComplete: true,
    async *[Symbol.asyncIterator]() {
      const bytes = Buffer.from(text);
      const size = 1024;
      for (let at = offset; at < bytes.length; at += size) {
        const piece = bytes.subarray(at, at + size);
        read(piece.length);
        yield { part: 1, chunk: 0, offset: at, bytes: piece };
      }
    },
  }),
});

const shown = ({ rows }: Awaited<ReturnType<typeof readRows>>) =>
  rows.map(({ line, cells: own, flaw }) => [line, own ?? flaw]);

test('a row of very many cells is not parsed: it fails by their number, and the rows around it are read', async () => {
  const parse = vi.spyOn(cells, 'parseCells');
  const text = `a,1\n${','.repeat(14 * MIB - 10)}""\nb,2\n`;
  const read = await readRows(sourceOf(text, ['externalId', 'size']), 1_000, 20 * MIB);
  expect(shown(read)).toEqual([
    [2, ['a', '1']],
    [3, `has ${14 * MIB - 9} cells, and the header 2`],
    [4, ['b', '2']],
  ]);
  expect(parse).toHaveBeenCalled();
  expect(Math.max(...parse.mock.calls.map(([bytes]) => bytes.length))).toBeLessThan(100);
  parse.mockRestore();
});

test('rows of many short cells fill a batch by their number, and are parsed in portions between which other work is done', async () => {
  const header = Array.from({ length: 1_000 }, (_, at) => `c${at}`);
  const text = `${','.repeat(999)}\n`.repeat(1_000);
  let turns = 0;
  const counting = setInterval(() => {
    turns += 1;
  }, 0);
  const read = await readRows(sourceOf(text, header), 1_000, 16 * MIB);
  clearInterval(counting);
  expect([read.rows.length, read.isFull, read.isAtEnd]).toEqual([263, true, false]);
  expect(turns).toBeGreaterThan(10);
  // whoever reads a number of rows again gets all of them
  expect((await readRows(sourceOf(text, header), 270, Number.POSITIVE_INFINITY)).rows.length).toBe(270);
});

test('lines that break each other are read a few times at most, not once for each line before them', async () => {
  const text = `x"${'.'.repeat(500)}\n`.repeat(500);
  let bytes = 0;
  const read = await readRows(
    sourceOf(text, ['externalId', 'size'], (size) => {
      bytes += size;
    }),
    1_000,
    16 * MIB,
  );
  expect([read.rows.length, read.isFull, read.isAtEnd]).toEqual([500, false, true]);
  expect(new Set(read.rows.map(({ flaw }) => flaw))).toEqual(
    new Set(['is not a record of CSV', 'has a quote that is not closed']),
  );
  expect(bytes).toBeLessThan(6 * text.length);
});
