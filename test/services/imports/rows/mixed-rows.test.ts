import { expect, test, vi } from 'vitest';
import { MAX_BODY_PARTS } from '../../../../domain/limits.ts';
import { rowsOfGroup, splitNextRows } from '../../../../services/imports/rows/mixed-rows.ts';

test('a row names its schema definition once, however many groups there are, and is not parsed if it has too many parts', async () => {
  const large = `{"schema":"city","resource":[${'{},'.repeat(MAX_BODY_PARTS)}{}]}`;
  const bytes = Buffer.from(`{"schema":"City"}\n${large}\n{"schema":"road"}\n{"schema":"city"}\n`);
  const source = {
    cut: { part: 1, chunk: 0, offset: 0, line: 1 },
    contentAt: () => ({
      isComplete: true,
      async *[Symbol.asyncIterator]() {
        yield { part: 1, chunk: 0, offset: 0, bytes };
      },
    }),
  };
  const parse = vi.spyOn(JSON, 'parse');
  const { split, rows } = await splitNextRows(source, async () => null, 16 * 1024 * 1024);
  const none = { schemaDefinitionId: '', schemaName: '', externalIdField: '', names: ['city', 'road'] };
  const city = { ...none, schemaDefinitionId: 'id', names: ['city'] };
  const lines = (found: typeof rows) => found.map(({ line }) => line);
  expect(lines(rowsOfGroup(rows, city, undefined))).toEqual([1, 4]);
  expect(lines(rowsOfGroup(rows, none, undefined))).toEqual([2]);
  const parsed = parse.mock.calls.map(([text]) => text);
  parse.mockRestore();
  expect(parsed).toEqual(['{"schema":"City"}', '{"schema":"road"}', '{"schema":"city"}']);
  expect(split.rows).toBe(4);
});
