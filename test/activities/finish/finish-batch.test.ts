import { afterAll, beforeAll, expect, test } from 'vitest';
import { finishOpenItems } from '../../../activities/finish/finish-open-items.ts';
import { readBatch } from '../../../store/batches/batches.ts';
import { pendingItemsIn } from '../../../store/items/pending-documents.ts';
import { waitsIn } from '../../../store/items/waits.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Deletions } from '../deletions.ts';

let batches: Deletions;
beforeAll(async () => {
  batches = await Deletions.start();
});
afterAll(() => batches.stop());

test('a batch whose finishing died after its pending items became terminal has no registration left in the end', async () => {
  const { database } = batches;
  const batchId = await batches.acceptUpload('Root', [{ externalId: 'r', Leaf: ['nowhere'] }], 600);
  expect((await batches.apply({ batchId, indexes: [0] })).tally.counts).toEqual({ pending: 1 });
  expect(await waitsIn(database).countDocuments({ batchId })).toBe(1);
  const batch = await readBatch(database, batchId);
  if (batch === null) throw new Error('no such batch');
  await finishOpenItems(database, batch, [0], 'cancelled', { code: 'cancelled', message: 'was cancelled' });
  expect((await batches.finish(batchId, true)).counts).toMatchObject({ cancelled: 1 });
  expect(await waitsIn(database).countDocuments({})).toBe(0);
  expect(await pendingItemsIn(database).countDocuments({})).toBe(0);
});

test('the write records of a resource that running batches write again and again stay few, and nothing is applied twice', async () => {
  const { database } = batches;
  const patchOf = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ externalId: 'hot', note: `note ${n}` }));
  const indexesOf = (count: number) => Array.from({ length: count }, (_, n) => n);
  const first = await batches.acceptUpload('Leaf', patchOf(300), 600);
  await batches.apply({ batchId: first, indexes: indexesOf(300) });
  const second = await batches.acceptUpload('Leaf', patchOf(1), 600);
  await batches.apply({ batchId: second, indexes: [0] });
  const stored = await resourcesIn(database).findOne({ _id: batches.key('Leaf:hot') });
  expect(stored?.version).toBe(301);
  // how many of the first batch are left depends on its slices, which are smaller where they take long
  expect(stored?.writes.length).toBeLessThanOrEqual(201);
  expect(stored?.writes.at(-1)).toMatchObject({ batchId: second, index: 0, version: 301 });
  await batches.apply({ batchId: first, indexes: indexesOf(300) });
  expect((await resourcesIn(database).findOne({ _id: batches.key('Leaf:hot') }))?.version).toBe(301);
});
