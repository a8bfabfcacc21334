import { expect, test } from 'vitest';
import { SharedMemory } from '../../../domain/collections/shared-memory.ts';
import { importResults } from '../../../services/imports/import-results.ts';
import type { Database } from '../../../store/mongodb/database.ts';

const BATCH = { total: 100, pageSize: 50, status: 'success' };
/** All alike; all succeeded in two ways; one of each kind; not finished. */
const BATCHES = [
  { ...BATCH, _id: 'a', importNumber: 1, result: { counts: { succeeded: 100 }, actions: { created: 100 } } },
  { ...BATCH, _id: 'b', importNumber: 2, result: { counts: { succeeded: 100 }, actions: { created: 1, updated: 99 } } },
  { ...BATCH, _id: 'c', importNumber: 3, result: { counts: { succeeded: 99, failed: 1 }, actions: { created: 99 } } },
  { ...BATCH, _id: 'd', importNumber: 4, status: 'processing' },
];
const ERROR = { code: 'validation', message: 'is wrong' };

function outcomeOf(batch: string, index: number): object | undefined {
  if (batch === 'c' && index === 70) return { status: 'failed', errors: [ERROR] };
  if (batch === 'd') return undefined;
  return { status: 'succeeded', action: batch === 'b' && index > 0 ? 'updated' : 'created' };
}

/** @param read told the ids of pages that are read. */
function databaseOf(read: (collection: string, ids: readonly string[]) => void): Database {
  const cursor = (documents: object[]): object => ({
    project: () => cursor(documents),
    sort: () => cursor(documents),
    limit: () => cursor(documents),
    toArray: async () => documents,
  });
  const pages = (ids: readonly string[], toPage: (batch: string, first: number) => object) =>
    cursor(ids.map((_id) => ({ _id, ...toPage(_id.split('/')[0] ?? '', 50 * Number(_id.split('/')[1])) })));
  const indexes = Array.from({ length: 50 }, (_, offset) => offset);
  const collections: Record<string, (ids: readonly string[]) => object> = {
    batches: () => cursor(BATCHES),
    outcome_pages: (ids) =>
      pages(ids, (batch, first) => ({
        outcomes: Object.fromEntries(
          indexes.flatMap((offset) => {
            const outcome = outcomeOf(batch, first + offset);
            return outcome === undefined ? [] : [[first + offset, outcome]];
          }),
        ),
      })),
    item_pages: (ids) =>
      pages(ids, (batch, first) => ({
        ids: indexes.map((offset) => `${batch}${first + offset}`),
        bodies: indexes.map((offset) => `{"externalId":"${batch}${first + offset}"}`),
        lines: indexes.map((offset) => first + offset + 1),
      })),
  };
  return {
    collection: (name: string) => ({
      find: ({ _id }: { readonly _id?: { readonly $in: readonly string[] } }) => {
        if (_id) read(name, _id.$in);
        return collections[name]?.(_id?.$in ?? []);
      },
    }),
  } as unknown as Database;
}

async function resultsOf(status?: 'failed' | 'succeeded' | 'queued') {
  const asked: Record<string, string[]> = { outcome_pages: [], item_pages: [] };
  const database = databaseOf((name, ids) => asked[name]?.push(...ids));
  const memory = { memory: new SharedMemory(256 * 1024 * 1024), owner: 'tenant', end: () => undefined };
  const rows = [];
  for await (const page of importResults(database, 'import', memory, status)) rows.push(...page);
  return { rows, asked };
}

test('outcomes are not read of a batch whose rows have all the same, as its counts say', async () => {
  const { rows, asked } = await resultsOf();
  expect(asked.outcome_pages).toEqual(['b/0', 'b/1', 'c/0', 'c/1', 'd/0', 'd/1']);
  expect(rows.map(({ row, status }) => `${row.externalId} ${status}`)).toEqual(
    BATCHES.flatMap(({ _id }) =>
      Array.from({ length: 100 }, (_, index) => {
        const { status } = (outcomeOf(_id, index) ?? { status: 'queued' }) as { status: string };
        return `${_id}${index} ${status}`;
      }),
    ),
  );
  expect(rows.map(({ action }) => action).slice(99, 102)).toEqual(['created', 'created', 'updated']);
});

test('of one status only pages that have such a row are read', async () => {
  const { rows, asked } = await resultsOf('failed');
  expect(asked.item_pages).toEqual(['c/1']);
  expect(rows.map(({ row, status, errors }) => [row.line, row.externalId, status, errors])).toEqual([
    [71, 'c70', 'failed', [ERROR]],
  ]);
  expect((await resultsOf('queued')).rows).toHaveLength(100);
  expect((await resultsOf('succeeded')).rows).toHaveLength(299);
});
