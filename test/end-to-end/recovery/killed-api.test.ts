import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { batchesIn } from '../../../store/batches/batches.ts';
import { itemPagesIn } from '../../../store/items/item-pages.ts';
import type { Program } from '../../../testkit/program.ts';
import { Drover } from '../../harness/drover.ts';
import { executionsOf, recoverNow, spawnApi, tracesOf } from '../../harness/left-behind.ts';

/** Moments at which an API process dies, by the last command that was answered. */
const MOMENTS = [
  'idempotency_keys.insertOne',
  'batches.insertOne',
  'batches.findOneAndUpdate',
  'outcome_pages.bulkWrite',
] as const;

let drover: Drover;
let apis: Record<(typeof MOMENTS)[number], Program>;
beforeAll(async () => {
  drover = await Drover.start();
  const spawned = await Promise.all([
    ...MOMENTS.map(async (moment) => [moment, await spawnApi(drover, moment)]),
    drover.define('star', { of: { $ref: 'reach:schemas/star' } }),
  ]);
  apis = Object.fromEntries(spawned.slice(0, MOMENTS.length) as [string, Program][]) as typeof apis;
}, 120_000);
afterAll(() => drover.stop());

/** Sends a request to an API that dies before it answers. */
async function sendToDying(api: Program, method: string, path: string, body?: object, headers = {}): Promise<void> {
  const init = {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body && { body: JSON.stringify(body) }),
  };
  await expect(fetch(api.ready + path, init)).rejects.toThrow();
  await api.ended;
}

const lacking = { resources: [{ externalId: 'lacking', of: 'nothing' }] };

test('killed after the key is bound and before the batch is written: a caller that repeats the request gets the batch, once', async () => {
  const body = { resources: [{ externalId: 'sun' }] };
  const headers = { 'idempotency-key': 'key-of-sun' };
  const path = '/api/resources/star/batch';
  await sendToDying(apis['idempotency_keys.insertOne'], 'POST', path, body, headers);
  expect(await batchesIn(drover.services.database).countDocuments({})).toBe(0);
  const answers = await Promise.all(
    Array.from({ length: 3 }, () => drover.request<{ batchId: string }>('POST', path, { body, headers })),
  );
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
  const id = answers[0]?.body.data.batchId ?? '';
  expect(new Set(answers.map((answer) => answer.body.data.batchId))).toEqual(new Set([id]));
  expect((await drover.ended(id)).status).toBe('success');
  expect(await batchesIn(drover.services.database).countDocuments({})).toBe(1);
  expect(await itemPagesIn(drover.services.database).countDocuments({})).toBe(1);
});

test('killed between the batch and the start of its workflow: recovery starts it, once', async () => {
  await sendToDying(apis['batches.insertOne'], 'POST', '/api/resources/star/batch', {
    resources: [{ externalId: 'moon' }],
  });
  const left = await batchesIn(drover.services.database).findOne({ status: 'queued' });
  const id = left?._id ?? '';
  expect(await executionsOf(drover, id)).toEqual([]);
  const passes = await Promise.all([recoverNow(drover), recoverNow(drover)]);
  expect(passes.reduce((sum, { started }) => sum + started, 0)).toBe(1);
  expect((await drover.ended(id)).status).toBe('success');
});

test('killed between the claim of a retry and its run: recovery starts the run', async () => {
  const id = await drover.upload('star', lacking.resources);
  await drover.ended(id);
  await sendToDying(apis['batches.findOneAndUpdate'], 'POST', `/api/batches/${id}/retry`);
  expect(await drover.batch(id)).toMatchObject({ status: 'queued', counts: { queued: 1, failed: 0 } });
  expect((await drover.request('POST', `/api/batches/${id}/retry`)).status).toBe(409);
  await drover.ended(await drover.upload('star', [{ externalId: 'nothing' }]));
  expect((await recoverNow(drover)).started).toBe(1);
  expect((await drover.ended(id)).status).toBe('success');
  expect((await drover.items(id))[0]?.attempts).toBe(2);
});

test('killed in the middle of a removal: the batch is a 404 at once, and recovery removes the rest', async () => {
  const id = await drover.upload('star', [{ externalId: 'comet' }]);
  await drover.ended(id);
  await sendToDying(apis['outcome_pages.bulkWrite'], 'DELETE', `/api/batches/${id}`);
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/items'],
    ['DELETE', ''],
  ] as const) {
    expect((await drover.request(method, `/api/batches/${id}${path}`)).status).toBe(404);
  }
  expect(await tracesOf(drover, id)).not.toEqual([]);
  expect((await recoverNow(drover)).purged).toBe(1);
  expect(await tracesOf(drover, id)).toEqual([]);
  await vi.waitFor(async () => expect(await executionsOf(drover, id)).toEqual([]), { timeout: 10_000, interval: 100 });
  expect((await drover.request('GET', '/api/resources/star/comet')).status).toBe(200);
});
