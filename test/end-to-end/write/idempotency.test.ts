import { ServiceError } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../../api/app.ts';
import { insertBoundBatch } from '../../../services/batches/accept-batch.ts';
import { startBatch } from '../../../services/batches/start-batch.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { idempotencyKeysIn, KEY_KEPT_MS } from '../../../store/batches/idempotency-keys.ts';
import { itemPagesIn } from '../../../store/items/item-pages.ts';
import { outcomePagesIn } from '../../../store/items/outcomes.ts';
import { type Answer, Drover, type RequestOptions } from '../../harness/drover.ts';
import { executionsOf, recoverNow } from '../../harness/left-behind.ts';

interface Accepted {
  readonly batchId: string;
  readonly recordCount: number;
}

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('coin', { value: { type: 'number' } });
  await drover.define('note', {});
});
afterAll(() => drover.stop());

const PATH = '/api/resources/coin/batch';
const coin = (externalId: string, value = 1) => ({ resources: [{ externalId, value }] });
const send = (
  key: string,
  method = 'POST',
  body: unknown = coin('a'),
  path = PATH,
  options: RequestOptions = {},
): Promise<Answer<Accepted>> =>
  drover.request<Accepted>(method, path, { body, ...options, headers: { 'idempotency-key': key, ...options.headers } });
const countBatches = () => batchesIn(drover.services.database).countDocuments({});

test.each([
  ['POST', coin('post')],
  ['PATCH', coin('patch')],
  ['DELETE', { externalIds: ['x', 'y'] }],
])('%s: the same key and request gives the same answer, also when the batch has ended', async (method, body) => {
  const before = await countBatches();
  const first = await send(`same ${method}`, method, body);
  expect(first.status).toBe(202);
  expect(await send(`same ${method}`, method, body)).toMatchObject({ status: 202, body: first.body });
  await drover.ended(first.body.data.batchId);
  expect(await send(`same ${method}`, method, body)).toMatchObject({ status: 202, body: first.body });
  expect(await countBatches()).toBe(before + 1);
});

test('another request with the key is a 422: another body, option, method or schema definition', async () => {
  const { body } = await send('other');
  const others = [
    send('other', 'POST', coin('b')),
    send('other', 'POST', coin('a'), `${PATH}?onconflict=reject`),
    send('other', 'PATCH'),
    send('other', 'DELETE', { externalIds: ['a'] }),
    send('other', 'POST', coin('a'), '/api/resources/note/batch'),
  ];
  for (const answer of await Promise.all(others)) {
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ success: false, message: expect.stringContaining('Idempotency-Key') });
  }
  // the default given explicitly, and the schema definition by its name in capitals, make the same request
  const same = await send('other', 'POST', coin('a'), '/api/resources/COIN/batch?onconflict=upsert');
  expect(same.body).toEqual(body);
});

test('20 concurrent requests get one batch, which is applied once', async () => {
  const before = await countBatches();
  const answers = await Promise.all(Array.from({ length: 20 }, () => send('crowd', 'POST', coin('crowd'))));
  expect(answers.every(({ status }) => status === 202)).toBe(true);
  const ids = new Set(answers.map(({ body }) => body.data.batchId));
  expect(ids.size).toBe(1);
  expect(await countBatches()).toBe(before + 1);
  const [id = ''] = ids;
  await drover.ended(id);
  // one of the requests, or recovery, may try to start the batch when it is over
  const late = await batchesIn(drover.services.database).findOne({ _id: id });
  expect(late && (await startBatch(drover.services, late))).toBe(false);
  expect(await executionsOf(drover, id)).toHaveLength(1);
  const pages = await itemPagesIn(drover.services.database).find({}).toArray();
  const batches = await batchesIn(drover.services.database).find({}).toArray();
  expect(pages).toHaveLength(batches.length);
  const { body } = await drover.request<{ versionNumber: number }>('GET', '/api/resources/coin/crowd');
  expect(body.data.versionNumber).toBe(1);
});

test('of two different requests under one key, sent at once, one is accepted and the other refused, each time', async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => send('torn', 'POST', coin('torn', n % 2))));
  const accepted = answers.filter(({ status }) => status === 202);
  expect(accepted).toHaveLength(5);
  expect(answers.filter(({ status }) => status === 422)).toHaveLength(5);
  expect(new Set(accepted.map(({ body }) => body.data.batchId)).size).toBe(1);
});

test('255 characters are a key, 256 a 400', async () => {
  expect((await send('k'.repeat(255))).status).toBe(202);
  const { status, body } = await send('k'.repeat(256));
  expect(status).toBe(400);
  expect(body.errors?.[0]).toMatch(/idempotency-key/i);
});

test('a request that is not accepted does not bind its key', async () => {
  expect((await send('unbound', 'POST', { resources: [] })).status).toBe(400);
  expect((await send('unbound', 'POST', coin('a'), `${PATH}?onconflict=never`)).status).toBe(400);
  expect((await send('unbound', 'POST', coin('a'), '/api/resources/nothing/batch')).status).toBe(404);
  expect((await send('unbound', 'POST', 'x', PATH, { headers: { 'content-type': 'text/plain' } })).status).toBe(415);
  const withoutTemporal = createApp({
    ...drover.services,
    assertStarts: () => Promise.reject(new ServiceError('unavailable')),
  });
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'unbound' };
  const refused = await withoutTemporal.request(PATH, { method: 'POST', headers, body: JSON.stringify(coin('b')) });
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).not.toBeNull();
  expect((await send('unbound')).status).toBe(202);
});

test('a dry run does not bind its key', async () => {
  expect((await send('dry', 'DELETE', { externalIds: ['a'], dryRun: true })).status).toBe(200);
  expect((await send('dry', 'DELETE', { externalIds: ['a'] })).status).toBe(202);
  expect((await send('dry', 'DELETE', { externalIds: ['a'], dryRun: true })).status).toBe(200);
});

test('tenants do not share keys', async () => {
  const ours = await send('shared', 'POST', coin('ours'));
  const theirs = await send('shared', 'POST', coin('theirs'), PATH, { tenant: 'other' });
  expect(theirs.status).toBe(202);
  expect(theirs.body.data.batchId).not.toBe(ours.body.data.batchId);
});

test('a key is kept 24 hours', async () => {
  const { database } = drover.services;
  const first = await send('kept', 'POST', coin('kept'));
  const batchId = first.body.data.batchId;
  const boundAgo = (ms: number) =>
    idempotencyKeysIn(database).updateOne({ 'batch._id': batchId }, { $set: { boundAt: new Date(Date.now() - ms) } });
  await boundAgo(KEY_KEPT_MS - 60_000);
  await recoverNow(drover);
  expect((await send('kept', 'POST', coin('kept'))).body).toEqual(first.body);
  await boundAgo(KEY_KEPT_MS + 1);
  const second = await send('kept', 'POST', coin('other'));
  expect(second.status).toBe(202);
  expect(second.body.data.batchId).not.toBe(batchId);
  await idempotencyKeysIn(database).updateMany({}, { $set: { boundAt: new Date(Date.now() - KEY_KEPT_MS - 1) } });
  await recoverNow(drover);
  expect(await idempotencyKeysIn(database).countDocuments({})).toBe(0);
});

test('the answer stays when the batch is deleted, and nothing is applied again', async () => {
  const { database } = drover.services;
  const first = await send('gone', 'POST', coin('gone'));
  const id = first.body.data.batchId;
  await drover.ended(id);
  const early = await idempotencyKeysIn(database).findOne({ 'batch._id': id });
  expect((await drover.request('DELETE', `/api/batches/${id}`)).status).toBe(200);
  expect(await send('gone', 'POST', coin('gone'))).toMatchObject({ status: 202, body: first.body });
  // a request that has read the key before the delete, and writes after it
  expect(early && (await insertBoundBatch(database, { ...early, inserted: false }))).toBeNull();
  await recoverNow(drover);
  expect(await batchesIn(database).countDocuments({ _id: id })).toBe(0);
});

test('the same JSON value is the same request, however it is formatted', async () => {
  const text = '{"resources":[{"externalId":"json","value":1,"more":{"b":[1,"é"],"a":null}}]}';
  const first = await send('json', 'POST', text);
  expect(first.status).toBe(202);
  for (const same of [
    text,
    `\uFEFF${text}`,
    ` \n${JSON.stringify(JSON.parse(text), null, 2)}\r\n`,
    '{"resources":[{"more":{"a":null,"b":[1.0,"\\u00e9"]},"value":1e0,"externalId":"\\u006ason"}]}',
  ]) {
    expect([same, await send('json', 'POST', same)]).toMatchObject([same, { status: 202, body: first.body }]);
  }
  for (const other of [
    '{"resources":[{"externalId":"json","value":1,"more":{"b":["é",1],"a":null}}]}',
    '{"resources":[{"externalId":"json","value":"1","more":{"b":[1,"é"],"a":null}}]}',
    '{"resources":[{"externalId":"json","value":1,"more":{"b":[1,"é"]}}]}',
    // these have the same value in JavaScript, but are not the same as what was sent
    '{"resources":[{"externalId":"json","value":1,"value":1,"more":{"b":[1,"é"],"a":null}}]}',
    '{"resources":[{"externalId":"json","value":1,"more":{"b":[1,"é"],"a":1e400}}]}',
  ]) {
    expect([other, (await send('json', 'POST', other)).status]).toEqual([other, 422]);
  }
});

test('the answer stays when the schema definition is deleted, or created again, by any of its names', async () => {
  const id = await drover.define('shortlived', {}, { pluralName: 'shortliveds' });
  const path = (name: string) => `/api/resources/${name}/batch`;
  const body = { externalIds: ['nobody'] };
  const first = await send('short', 'DELETE', body, path('shortlived'));
  expect(first.status).toBe(202);
  await drover.ended(first.body.data.batchId);
  const again = async () => {
    for (const name of ['shortlived', 'SHORTLIVEDS', id]) {
      const answer = await send('short', 'DELETE', body, path(name));
      expect([name, answer.status, answer.body]).toEqual([name, 202, first.body]);
    }
    expect((await send('short', 'DELETE', { externalIds: ['another'] }, path(id))).status).toBe(422);
  };
  expect((await drover.request('DELETE', `/partner/schema-definitions/${id}`)).status).toBe(200);
  await again();
  expect((await drover.request('DELETE', `/api/batches/${first.body.data.batchId}`)).status).toBe(200);
  await again();
  expect(await drover.define('shortlived', {}, { pluralName: 'shortliveds' })).not.toBe(id);
  await again();
  expect((await send('new', 'DELETE', body, path('shortlived'))).body.data.batchId).not.toBe(first.body.data.batchId);
});

test('a key that an earlier version has bound recognises its request by its bytes', async () => {
  const { database } = drover.services;
  const first = await send('earlier', 'POST', coin('earlier'));
  await idempotencyKeysIn(database).updateOne(
    { 'batch._id': first.body.data.batchId },
    { $unset: { canonical: '', schemaNames: '' } },
  );
  expect(await send('earlier', 'POST', coin('earlier'))).toMatchObject({ status: 202, body: first.body });
  expect((await send('earlier', 'POST', coin('earlier', 2))).status).toBe(422);
  expect((await send('earlier', 'POST', coin('earlier'), '/api/resources/note/batch')).status).toBe(422);
});

test('a sender that died before the batch was written is completed by recovery', async () => {
  const { database } = drover.services;
  const { batchId } = (await send('completed', 'POST', coin('completed'))).body.data;
  await drover.ended(batchId);
  // the state that the crash left: the key is bound, and there is no batch
  await batchesIn(database).deleteOne({ _id: batchId });
  await outcomePagesIn(database).deleteMany({});
  await drover.services.client.workflowService.deleteWorkflowExecution({
    namespace: drover.config.TEMPORAL_NAMESPACE,
    workflowExecution: { workflowId: `batch-${batchId}` },
  });
  await recoverNow(drover);
  expect(await batchesIn(database).countDocuments({ _id: batchId })).toBe(0); // the sender may still be about to write it
  await idempotencyKeysIn(database).updateOne(
    { 'batch._id': batchId },
    { $set: { boundAt: new Date(Date.now() - 10_000), inserted: false } },
  );
  await recoverNow(drover);
  expect((await drover.ended(batchId)).counts.succeeded).toBe(1);
});
