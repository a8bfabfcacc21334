import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { batchesIn } from '../../../store/batches/batches.ts';
import { pendingItemsIn } from '../../../store/items/pending-documents.ts';
import { claimPending } from '../../../store/items/pending-items.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Deletions } from '../deletions.ts';

/**
 * A pending item that another batch has applied together with its own items, and that batch died before it could store the outcome: the write
 * record on the resource is the only evidence.
 */
let deletions: Deletions;
beforeAll(async () => {
  deletions = await Deletions.start();
});
afterAll(() => deletions.stop());
beforeEach(() => deletions.store({}));

/** Accepts an item that waits for `Leaf:missing`, and writes its resource. @returns its batch. */
async function pendingAndApplied(): Promise<string> {
  const batchId = await deletions.acceptUpload('Twig', [{ externalId: 'a', Leaf: ['missing'] }], 3_600);
  await deletions.apply({ batchId, indexes: [0] });
  expect(await deletions.results(batchId)).toEqual(['pending']);
  await deletions.add({ 'Leaf:missing': [], 'Twig:a': ['Leaf:missing'] });
  const entry = { batchId, index: 0, version: 1, action: 'created' } as const;
  await resourcesIn(deletions.database).updateOne({ _id: deletions.key('Twig:a') }, { $set: { writes: [entry] } });
  return batchId;
}

test('the item has succeeded when its deadline passes', async () => {
  const batchId = await pendingAndApplied();
  const { tally } = await deletions.expire(batchId, [0]);
  expect(tally.counts).toMatchObject({ succeeded: 1 });
  expect(await deletions.results(batchId)).toEqual(['created']);
});

test('the item has succeeded when the other batch releases its claim', async () => {
  const batchId = await pendingAndApplied();
  const other = await deletions.acceptUpload('Leaf', [{ externalId: 'missing' }], 3_600);
  await batchesIn(deletions.database).updateOne({ _id: other }, { $set: { claimOwners: [other, batchId] } });
  const member = { key: deletions.key('Twig:a'), batchId, index: 0 };
  expect(await claimPending(deletions.database, { _id: other, run: 1 }, [member])).toBe(true);
  await deletions.finish(other, true);
  expect(await deletions.results(batchId)).toEqual(['created']);
  expect(await pendingItemsIn(deletions.database).countDocuments({ batchId })).toBe(0);
});

test('the item has succeeded when its own batch is cancelled', async () => {
  const batchId = await pendingAndApplied();
  await deletions.finish(batchId, true);
  expect(await deletions.results(batchId)).toEqual(['created']);
});
