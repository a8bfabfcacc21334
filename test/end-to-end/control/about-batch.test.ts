import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { type Answer, Drover } from '../../harness/drover.ts';
import { bearer, signed, TOKEN_ENVIRONMENT } from '../../harness/tokens.ts';
import * as imports from '../imports/imports.ts';

/** What a caller says of a batch as a whole, and who the caller is. */

let drover: Drover;
let headers: { authorization: string };
beforeAll(async () => {
  drover = await Drover.start({ environment: TOKEN_ENVIRONMENT });
  const claims = { platform: 'default', scope: 'platform', tenant: 'default', sub: 'ada@example.org' };
  headers = bearer(await signed(claims));
  const schema = { type: 'object', properties: { n: { type: 'number' } } };
  await drover.request('POST', '/partner/schema-definitions', { headers, body: { name: 'note', schema } });
});
afterAll(() => drover.stop());

const PATH = '/api/resources/note/batch';
const start = (query: string, more: Record<string, string> = {}, name = 'a') =>
  drover.request<{ batchId: string }>('POST', `${PATH}?${query}`, {
    headers: { ...headers, ...more },
    body: { resources: [{ externalId: name }] },
  });
const get = <T>(path: string): Promise<Answer<T>> => drover.request<T>('GET', path, { headers });

test('label, priority, start time and sender are in the status, in lists and in the Temporal UI, of every operation', async () => {
  const startAt = '2026-01-02T03:04:05.678Z';
  const query = `label=${encodeURIComponent('nightly, Köln 🌙')}&priority=2&startAt=${startAt}`;
  const said = { label: 'nightly, Köln 🌙', priority: 2, startAt, createdBy: 'ada@example.org' };
  const answers = [
    await start(query),
    await drover.request<{ batchId: string }>('PATCH', `${PATH}?${query}`, {
      headers,
      body: { resources: [{ externalId: 'a' }] },
    }),
    await drover.request<{ batchId: string }>('POST', `${PATH}/delete?${query}`, {
      headers,
      body: { externalIds: ['a'] },
    }),
  ];
  const ids = answers.map(({ body }) => body.data.batchId);
  for (const id of ids) {
    await drover.ended(id, { headers });
    expect((await get<BatchView>(`/api/batches/${id}`)).body.data).toMatchObject(said);
    const description = await drover.services.client.workflow.getHandle(batchWorkflowId(id)).describe();
    expect(description.memo).toMatchObject(said);
    expect(await description.staticSummary()).toMatch(/^nightly, Köln 🌙: (upload|patch|delete) of 1 × note$/);
    expect(description.priority).toMatchObject({ priorityKey: 2 });
  }
  const { results } = (await get<{ results: BatchView[] }>('/api/batches')).body.data;
  expect(results.map(({ batchId }) => batchId).toSorted()).toEqual(ids.toSorted());
  for (const batch of results) expect(batch).toMatchObject(said);
  const silent = (await start('label=&priority=&startAt=')).body.data.batchId;
  const { label, priority, startAt: at } = await drover.ended(silent, { headers });
  expect({ label, priority, at }).toEqual({ label: undefined, priority: undefined, at: undefined });
});

test('an import and its batches have the same', async () => {
  const rows = imports.ndjson([{ externalId: 'row' }]);
  const { body } = await drover.request<{ importId: string }>(
    'POST',
    '/api/imports?schema=note&label=file&priority=1',
    { headers: { ...headers, 'content-type': 'application/x-ndjson' }, body: rows },
  );
  const { importId } = body.data;
  const about = { label: 'file', createdBy: 'ada@example.org' };
  expect((await get(`/api/imports/${importId}`)).body.data).toMatchObject({ ...about, options: { priority: 1 } });
  const listed = () => get<{ results: BatchView[] }>(`/api/imports/${importId}/batches`);
  await expect.poll(async () => (await listed()).body.data.results, { timeout: 15_000 }).toHaveLength(1);
  expect((await listed()).body.data.results[0]).toMatchObject({ ...about, priority: 1, importId });
});

test.each([
  ['label=a%0Ab', 'label: must have no control characters'],
  [`label=${'x'.repeat(101)}`, 'label: must be at most 100 characters'],
  ['priority=0', 'priority: must be a whole number from 1 to 5'],
  ['priority=urgent', 'priority: must be a whole number from 1 to 5'],
  ['startAt=tomorrow', 'startAt: must be a date of ISO 8601, such as 2026-11-28T09:00:00Z'],
  ['startAt=2026-02-30T00:00:00Z', 'startAt: must be a date of ISO 8601, such as 2026-11-28T09:00:00Z'],
  [`startAt=${new Date(Date.now() + 31 * 86_400_000).toISOString()}`, 'startAt: must be within 30 days'],
  ['createdBy=me', 'createdBy: is not a query parameter of this request; it takes '],
])('%s is a 400 that names it, for batches and imports', async (query, fault) => {
  for (const path of [PATH, `${PATH}/delete`, '/api/imports']) {
    const { status, body } = await drover.request('POST', `${path}?${query}`, { headers, body: {} });
    expect([path, status]).toEqual([path, 400]);
    expect(body.errors?.some((error) => error.startsWith(fault))).toBe(true);
  }
});

test('a field of the body with such a name is a 400 that says where it belongs', async () => {
  const body = { externalIds: ['a'], label: 'x' };
  const { status, body: refused } = await drover.request('POST', `${PATH}/delete`, { headers, body });
  expect(status).toBe(400);
  expect(refused.errors).toEqual(['label: is not a field of this body; "label" belongs in the query']);
});

test('under an Idempotency-Key another label is another request; the same one, sent by somebody else, is not', async () => {
  const key = { 'idempotency-key': 'labelled' };
  const first = await start('label=one', key);
  const again = await start('label=one', {
    ...key,
    ...bearer(await signed({ platform: 'default', scope: 'platform' })),
  });
  expect(again.body.data).toEqual(first.body.data);
  expect((await start('label=two', key)).status).toBe(422);
  expect((await start('', key)).status).toBe(422);
});

test('urgent batches overtake 200 queued ones, of their own tenant and of others', async () => {
  await drover.stopWorker();
  const { database } = drover.services;
  const send = async (name: string, query: string, tenant: string): Promise<string> =>
    (await start(query, { 'reach-tenant-id': tenant }, name)).body.data.batchId;
  for (let at = 0; at < 200; at += 20)
    await Promise.all(Array.from({ length: 20 }, (_, n) => send(`${at + n}`, 'label=queued', n % 2 ? 'a' : 'b')));
  // a tenant's own token: its priority is no priority key
  const own = bearer(await signed({ platform: 'default', scope: 'tenant', tenant: 'a' }));
  const urgent = await Promise.all(
    Array.from({ length: 3 }, async (_, n) => (await start('priority=1', own, `u${n}`)).body.data.batchId),
  );
  await drover.startWorker();
  const finished = (filter: object) => batchesIn(database).countDocuments({ ...filter, status: 'success' });
  await expect.poll(() => finished({ _id: { $in: urgent } }), { timeout: 90_000, interval: 50 }).toBe(3);
  const before = await finished({ label: 'queued' });
  console.log(`${before} of 200 queued batches were finished when the urgent ones were`);
  expect(before).toBeLessThan(100);
  await expect.poll(() => finished({ label: 'queued' }), { timeout: 120_000, interval: 200 }).toBe(200);
}, 240_000);
