import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_FILTER_VALUES } from '../../../../domain/limits.ts';
import type { BatchView } from '../../../../services/batches/view-batch.ts';
import { batchesIn } from '../../../../store/batches/batches.ts';
import { itemPagesIn } from '../../../../store/items/item-pages.ts';
import { type Answer, Drover } from '../../../harness/drover.ts';

/** Batches that no worker carries out; their states are written into the store. */

let drover: Drover;
let ids: string[];
const OTHER = { tenant: 'other' };
const IMPORT = crypto.randomUUID();
beforeAll(async () => {
  drover = await Drover.start({ worker: false });
  await drover.define('stone', { n: { type: 'number' } });
  await drover.define('shell', { n: { type: 'number' } });
  const stone = (name: string) => [{ externalId: name }];
  ids = [
    await drover.upload('stone', stone('a'), { label: 'one, two' }),
    await drover.upload('stone', [...stone('b'), ...stone('a'), ...stone('a')], { label: 'x' }),
    await drover.patch('shell', stone('a'), { label: 'x' }),
    await drover.delete('stone', { externalIds: ['a', 'z'] }),
    await drover.upload('shell', stone('A')),
    // more than one page of items, and 'a' in two of them
    await drover.upload('stone', [...Array.from({ length: 60 }, (_, n) => ({ externalId: `p${n}` })), ...stone('a')]),
  ];
  await drover.upload('stone', stone('a'), { label: 'x' }, OTHER);
  const more: Partial<Record<number, object>> = {
    0: { status: 'failed', createdBy: 'ada' },
    1: { status: 'waiting', createdBy: 'ada' },
    2: { status: 'success', importId: IMPORT, importNumber: 1 },
    3: { status: 'success', importId: IMPORT, importNumber: 2, createdBy: 'bob' },
  };
  for (const [index, $set] of Object.entries(more))
    await batchesIn(drover.services.database).updateOne({ _id: ids[Number(index)] ?? '' }, { $set: $set ?? {} });
});
afterAll(() => drover.stop());

interface Page {
  readonly results: BatchView[];
  readonly pagination: { total: number; cursor: string | null };
}
const get = (query: string): Promise<Answer<Page>> => drover.request<Page>('GET', `/api/batches?${query}`);

/** The places in `ids` of what a filter finds, newest first; total and cursor fit. */
async function found(query: string): Promise<number[]> {
  const { status, body } = await get(query);
  expect([query, status]).toEqual([query, 200]);
  expect(body.data.pagination).toEqual({ hasNextPage: false, total: body.data.results.length, cursor: null });
  return body.data.results.map(({ batchId }) => ids.indexOf(batchId));
}

test('batches are found by several values, by label, sender and import, and by all of them together', async () => {
  expect(await found('status=failed,waiting')).toEqual([1, 0]);
  expect(await found('status=success,success')).toEqual([3, 2]);
  expect(await found('batchType=PARTNER_RESOURCE_BATCH_PATCH,PARTNER_RESOURCE_BATCH_DELETE')).toEqual([3, 2]);
  expect(await found('schema=shell,STONE&status=failed,success&sortBy=createdAt')).toEqual([0, 2, 3]);
  expect(await found('schema=shell,nothing')).toEqual([4, 2]);
  expect(await found('label=x')).toEqual([2, 1]);
  expect(await found('label=one,%20two')).toEqual([0]);
  expect(await found('label=X')).toEqual([]);
  expect(await found('createdBy=ada')).toEqual([1, 0]);
  expect(await found('createdBy=ada&label=x&status=waiting,failed&schema=stone')).toEqual([1]);
  expect(await found(`importId=${IMPORT}&createdBy=bob`)).toEqual([3]);
  expect(await found(`importId=${IMPORT}`)).toEqual([3, 2]);
  // as clients of before may send them
  expect(await found('status=&batchType=&schema=&cursor=&limit=&sortBy=')).toEqual([5, 4, 3, 2, 1, 0]);
});

test('by the time of their acceptance, to the millisecond, with neither bound', async () => {
  const { results } = (await get('limit=100')).body.data;
  const times = results.map(({ createdAt }) => createdAt);
  for (const time of new Set(times)) {
    const bounded = results.filter(({ createdAt }) => createdAt > time).map(({ batchId }) => ids.indexOf(batchId));
    expect(await found(`createdAfter=${time}`)).toEqual(bounded);
    const before = results.filter(({ createdAt }) => createdAt < time).map(({ batchId }) => ids.indexOf(batchId));
    expect(await found(`createdBefore=${time}`)).toEqual(before);
    expect(await found(`createdBefore=${time}&createdAfter=${time}`)).toEqual([]);
  }
  expect(await found('createdAfter=2020-01-01&createdBefore=2100-01-01T00:00:00%2B02:00')).toHaveLength(6);
  expect(await found('createdBefore=0001-01-01')).toEqual([]);
});

test('a record leads to the batches that have an item for it, in either order, page by page, and never to those of others', async () => {
  expect(await found('externalId=a')).toEqual([5, 3, 2, 1, 0]);
  expect(await found('externalId=a&sortBy=createdAt')).toEqual([0, 1, 2, 3, 5]);
  expect(await found('externalId=a&schema=stone&status=failed,waiting')).toEqual([1, 0]);
  expect(await found('externalId=z')).toEqual([3]);
  expect(await found('externalId=nobody')).toEqual([]);
  const { results } = (await get('externalId=a')).body.data;
  const at = results[2]?.createdAt ?? '';
  const after = results.filter(({ createdAt }) => createdAt > at).map(({ batchId }) => ids.indexOf(batchId));
  expect(await found(`externalId=a&createdAfter=${at}`)).toEqual(after);
  for (const order of ['createdAt', '-createdAt']) {
    const seen: number[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `externalId=a&limit=2&sortBy=${order}&createdAfter=2020-01-01&cursor=${encodeURIComponent(cursor)}`;
      const { data }: Answer<Page>['body'] = (await get(path)).body;
      expect(data.pagination.total).toBe(5);
      seen.push(...data.results.map(({ batchId }) => ids.indexOf(batchId)));
      cursor = data.pagination.cursor;
    }
    expect(seen).toEqual(order === 'createdAt' ? [0, 1, 2, 3, 5] : [5, 3, 2, 1, 0]);
  }
  const other = await drover.request<Page>('GET', '/api/batches?externalId=a', OTHER);
  expect(other.body.data.results).toHaveLength(1);
});

test('each page of items has one key for each different external id', async () => {
  const { database } = drover.services;
  const keysOf = async (n: number) =>
    (
      await itemPagesIn(database)
        .find({ _id: { $gte: `${ids[n]}/`, $lt: `${ids[n]}0` } })
        .toArray()
    ).map(({ keys }) => keys?.length);
  expect(await keysOf(1)).toEqual([2]);
  expect((await keysOf(5)).toSorted()).toEqual([11, 50]);
});

const MANY = Array.from({ length: MAX_FILTER_VALUES + 1 }, (_, n) => `s${n}`).join();
test.each([
  ['status=failed,done', /^status: must be one of queued, /],
  ['status=failed,', /^status: must be one of queued, /],
  ['batchType=X', /^batchType: must be one of /],
  ['schema=a,,b', /^schema: must be one or several names/],
  [`schema=${MANY}`, /^schema: must be at most 50 values$/],
  ['createdAfter=', /^createdAfter: must be a date of ISO 8601/],
  ['createdBefore=yesterday', /^createdBefore: must be a date of ISO 8601/],
  ['createdBefore=2026-13-01', /^createdBefore: must be a date of ISO 8601/],
  ['label=', /^label: must be 1 to 100 characters$/],
  ['createdBy=', /^createdBy: must be 1 to 256 characters$/],
  ['importId=', /^importId: must be the id of an import$/],
  ['importId=7', /^importId: must be the id of an import$/],
  ['externalId=', /^externalId: must be 1 to 256 whole characters$/],
  [`externalId=${'x'.repeat(257)}`, /^externalId: must be 1 to 256 whole characters$/],
  ['state=failed', /^state: is not a query parameter of this request/],
  ['label=a&label=b', /^label: is given twice$/],
])('%s is a 400 that names the filter', async (query, fault) => {
  const { status, body } = await get(query);
  expect(status).toBe(400);
  expect(body.errors).toEqual([expect.stringMatching(fault)]);
});
