import { afterAll, beforeAll, expect, test } from 'vitest';
import { settleLeftovers } from '../../activities/settle-leftovers.ts';
import { readBatch } from '../../store/batches.ts';
import { Deletions } from './deletions.ts';

let batches: Deletions;
beforeAll(async () => {
  batches = await Deletions.start();
});
afterAll(() => batches.stop());

test('a batch whose finishing dies once its pending items are settled is out of every register in the end', async () => {
  const { database } = batches;
  const batchId = await batches.acceptUpload('Root', [{ externalId: 'r', Leaf: ['nowhere'] }], 600);
  expect((await batches.apply({ batchId, indexes: [0] })).tally.counts).toEqual({ pending: 1 });
  expect(await database.waits.countDocuments({ batchId })).toBe(1);
  const batch = await readBatch(database, batchId);
  if (batch === null) throw new Error('no such batch');
  await settleLeftovers(database, batch, [0], 'cancelled', { code: 'cancelled', message: 'was cancelled' });
  expect((await batches.finish(batchId, true)).counts).toMatchObject({ cancelled: 1 });
  expect(await database.waits.countDocuments({})).toBe(0);
  expect(await database.pendingItems.countDocuments({})).toBe(0);
});
