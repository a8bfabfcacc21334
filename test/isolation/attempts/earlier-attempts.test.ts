import { MongoNetworkError } from 'mongodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { intentsIn } from '../../../isolation/intents/intents.ts';
import { SupersededError } from '../../../store/mongodb/errors.ts';
import type { Plan } from '../../../workflows/messages.ts';
import { Deletions } from '../../activities/deletions.ts';
import { holdFirstAt } from '../../activities/held-checkpoint.ts';

/**
 * Attempts that cannot be ordered by their numbers: the attempts of a reset activity are counted from 1 again. The later of two attempts is
 * the one that Temporal has scheduled later.
 */
let deletions: Deletions;
beforeAll(async () => {
  deletions = await Deletions.start();
});
afterAll(() => deletions.stop());
beforeEach(() => deletions.store({}));
afterEach(() => {
  deletions.atCheckpoint = undefined;
});

/** A time well above the times at which the harness schedules attempts. */
const [EARLIER, LATER] = [1_000_000, 2_000_000];

function stepsOf(plan: Plan | null): number[] {
  return (plan?.stages ?? []).flat().flatMap((work) => (work.kind === 'step' ? [work.step] : []));
}

test('an attempt with the number of one that died with its intent takes over, and leaves no intent', async () => {
  await deletions.add({ 'Leaf:target': [] });
  const batchId = await deletions.acceptUpload('Twig', [{ externalId: 'a', Leaf: ['target'] }]);
  let isFirst = true;
  deletions.atCheckpoint = async (at) => {
    if (at !== 'intent-laid' || !isFirst) return;
    isFirst = false;
    throw new MongoNetworkError('the connection is cut');
  };
  await expect(deletions.apply({ batchId, indexes: [0] }, 1)).rejects.toThrow(MongoNetworkError);
  expect(await intentsIn(deletions.database).countDocuments({ batchId })).toBe(1);
  await deletions.apply({ batchId, indexes: [0] }, 1);
  expect(await deletions.results(batchId)).toEqual(['created']);
  expect(await intentsIn(deletions.database).countDocuments({ batchId })).toBe(0);
});

test('an attempt that continues after a later one with its number has decided writes nothing', async () => {
  const batchId = await deletions.acceptUpload('Twig', [{ externalId: 'a', Leaf: ['target'] }]);
  const first = holdFirstAt(deletions, 'intent-laid');
  const earlier = deletions.apply({ batchId, indexes: [0] }, 1, EARLIER);
  await first.reached;
  // the later one finds no target, and is stopped before it stores the failure of the item
  const second = holdFirstAt(deletions, 'written');
  const later = deletions.apply({ batchId, indexes: [0] }, 1, LATER);
  await second.reached;
  await deletions.add({ 'Leaf:target': [] });
  first.letGo();
  await expect(earlier).rejects.toThrow(SupersededError);
  second.letGo();
  await later;
  expect(await deletions.results(batchId)).toEqual(['missing_dependency']);
  expect(await deletions.seen()).toEqual(['Leaf:target']);
  expect(await intentsIn(deletions.database).countDocuments({ batchId })).toBe(0);
});

test("an attempt that begins after a later one stops, and does not remove the later one's intent", async () => {
  const batchId = await deletions.acceptUpload('Leaf', [{ externalId: 'a' }]);
  const held = holdFirstAt(deletions, 'intent-laid');
  const later = deletions.apply({ batchId, indexes: [0] }, 1, LATER);
  await held.reached;
  await expect(deletions.apply({ batchId, indexes: [0] }, 1, EARLIER)).rejects.toThrow(SupersededError);
  expect(await intentsIn(deletions.database).countDocuments({ batchId })).toBe(1);
  held.letGo();
  await later;
  expect(await deletions.results(batchId)).toEqual(['created']);
});

test('two plans of one round by attempts with one number are two plans', async () => {
  await deletions.add({ 'Leaf:a': [], 'Leaf:b': ['Leaf:a'] });
  const batchId = await deletions.acceptDelete({ ids: ['a', 'b'] });
  const [late, plan] = [await deletions.plan(batchId, 0, 1), await deletions.plan(batchId, 0, 1)];
  expect(stepsOf(late)).not.toEqual([]);
  expect(stepsOf(plan).filter((step) => stepsOf(late).includes(step))).toEqual([]);
  await deletions.runDelete(batchId);
  expect(await deletions.results(batchId)).toEqual(['deleted', 'deleted']);
  expect(await deletions.leftovers()).toBe(0);
});

test('a step whose attempt died with its marks is deleted by a later attempt with its number', async () => {
  await deletions.add({ 'Leaf:a': [] });
  const batchId = await deletions.acceptDelete({ ids: ['a'] });
  const [step = 0] = stepsOf(await deletions.plan(batchId));
  let isFirst = true;
  deletions.atCheckpoint = async (at) => {
    if (at !== 'marked' || !isFirst) return;
    isFirst = false;
    throw new MongoNetworkError('the connection is cut');
  };
  await expect(deletions.attemptStep(batchId, step)).rejects.toThrow(MongoNetworkError);
  await deletions.attemptStep(batchId, step);
  expect(await deletions.results(batchId)).toEqual(['deleted']);
});

test('an attempt that begins or continues a step after a later one has begun it stops', async () => {
  await deletions.add({ 'Leaf:a': [] });
  const batchId = await deletions.acceptDelete({ ids: ['a'] });
  const [step = 0] = stepsOf(await deletions.plan(batchId));
  const first = holdFirstAt(deletions, 'marked');
  const earlier = deletions.attemptStep(batchId, step, EARLIER);
  await first.reached;
  const second = holdFirstAt(deletions, 'marked');
  const later = deletions.attemptStep(batchId, step, LATER);
  await second.reached;
  first.letGo();
  await expect(earlier).rejects.toThrow(SupersededError);
  await expect(deletions.attemptStep(batchId, step, EARLIER + 1)).rejects.toThrow(SupersededError);
  second.letGo();
  await later;
  expect(await deletions.results(batchId)).toEqual(['deleted']);
  expect(await deletions.seen()).toEqual([]);
});
