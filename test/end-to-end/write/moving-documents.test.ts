import { Collection, type Document, type Filter } from 'mongodb';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { intentsIn } from '../../../isolation/intents/intents.ts';
import { idempotencyKeysIn } from '../../../store/batches/idempotency-keys.ts';
import { pendingItemsIn } from '../../../store/items/pending-documents.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Drover } from '../../harness/drover.ts';
import { recoverNow, tracesOf } from '../../harness/left-behind.ts';

/**
 * A sharded cluster that moves documents from one shard to another: `updateMany` and `deleteMany` may miss one of the
 * matching documents. Here each of them always misses one.
 */

const WAIT = { dependencyWaitTimeout: 600 };
let drover: Drover;
let passedOver = 0;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('node', { next: { type: 'array', items: { $ref: 'reach:schemas/node' } } });
});
afterAll(() => drover.stop());
afterEach(() => vi.restoreAllMocks());

function passOver(): void {
  const { updateMany, deleteMany } = Collection.prototype;
  const butOne = async (collection: Collection, filter: Filter<Document>): Promise<Filter<Document>> => {
    const moved = await collection.findOne(filter, { projection: { _id: 1 } });
    if (moved !== null) passedOver += 1;
    return moved === null ? filter : { $and: [filter, { _id: { $ne: moved._id } }] };
  };
  vi.spyOn(Collection.prototype, 'updateMany').mockImplementation(async function (this: Collection, filter, ...rest) {
    return updateMany.call(this, await butOne(this, filter), ...rest);
  });
  vi.spyOn(Collection.prototype, 'deleteMany').mockImplementation(async function (this: Collection, filter, ...rest) {
    return deleteMany.call(this, await butOne(this, filter ?? {}), ...rest);
  });
}

const node = (externalId: string, ...next: string[]) => ({ externalId, next });

/** Marked resources whose mark names no group that decides about them. */
async function marked(): Promise<string[]> {
  const resources = resourcesIn(drover.services.database);
  const found = await resources
    .find({ $or: [{ hidden: { $exists: true } }, { leaving: { $exists: true } }] })
    .toArray();
  return found.map(({ _id }) => _id);
}

test('all members of a cycle stay, whatever happens to the commit document of their group', async () => {
  passOver();
  const id = await drover.upload('node', [node('a', 'b'), node('b', 'c'), node('c', 'a'), node('z')]);
  expect((await drover.ended(id)).status).toBe('success');
  expect(await marked()).toEqual([]);
  for (const one of ['a', 'b', 'c'])
    expect((await drover.request('GET', `/api/resources/node/${one}`)).status).toBe(200);
});

test('a cycle across batches is applied, and a claim that one command misses is released by the next', async () => {
  passOver();
  const first = await drover.upload('node', [node('left', 'right')], WAIT);
  await drover.waiting(first);
  const second = await drover.upload('node', [node('right', 'left')], WAIT);
  for (const id of [first, second]) expect((await drover.ended(id)).status).toBe('success');
  const pendingItems = pendingItemsIn(drover.services.database);
  const intents = intentsIn(drover.services.database);
  expect(await pendingItems.countDocuments({})).toBe(0);
  expect(await intents.countDocuments({})).toBe(0);
  expect(await marked()).toEqual([]);
});

test('a delete removes everything that it reports, keeps every referenced resource, and leaves no mark', async () => {
  await drover.ended(
    await drover.upload('node', [node('k1'), node('k2'), node('k3', 'k1', 'k2'), node('g1'), node('g2')]),
  );
  passOver();
  const id = await drover.delete('node', { externalIds: ['k1', 'k2', 'g1', 'g2'] });
  const batch = await drover.ended(id);
  expect(batch.counts).toMatchObject({ succeeded: 2, skipped: 2 });
  expect(await marked()).toEqual([]);
  for (const [one, status] of [
    ['k1', 200],
    ['k2', 200],
    ['g1', 404],
    ['g2', 404],
  ] as const)
    expect((await drover.request('GET', `/api/resources/node/${one}`)).status).toBe(status);
});

test('a batch that is removed leaves nothing, and its key does not bring it back', async () => {
  const headers = { 'idempotency-key': 'moved' };
  const items = Array.from({ length: 120 }, (_, n) => node(`r${n}`));
  const id = await drover.upload('node', items, {}, { headers });
  await drover.ended(id);
  await recoverNow(drover);
  passOver();
  await idempotencyKeysIn(drover.services.database).updateOne({ 'batch._id': id }, { $set: { inserted: false } });
  expect((await drover.request('DELETE', `/api/batches/${id}`)).status).toBe(200);
  await vi.waitFor(async () => expect(await tracesOf(drover, id)).toEqual([]), { timeout: 20_000, interval: 200 });
  expect(await drover.upload('node', items, {}, { headers })).toBe(id);
  expect((await drover.request('GET', `/api/batches/${id}`)).status).toBe(404);
  expect(passedOver).toBeGreaterThan(0);
});
