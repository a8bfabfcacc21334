import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { intentsIn } from '../../../isolation/intents/intents.ts';
import { SupersededError } from '../../../store/mongodb/errors.ts';
import type { Plan } from '../../../workflows/messages.ts';
import { Deletions } from '../../activities/deletions.ts';
import { holdFirstAt } from '../../activities/held-checkpoint.ts';

/**
 * Two executions of one batch's workflow at once: it was reset, or started anew after Temporal had lost its database, while
 * activities of the earlier execution still run.
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

const EARLIER = [1_000_000, 'earlier'] as const;
const LATER = [2_000_000, 'later'] as const;

const stepsOf = (plan: Plan | null): number[] =>
  (plan?.stages ?? []).flat().flatMap((work) => (work.kind === 'step' ? [work.step] : []));

test('an activity of an earlier execution that continues after a later one has applied its items writes nothing', async () => {
  const batchId = await deletions.acceptUpload('Twig', [{ externalId: 'a', Leaf: ['target'] }]);
  await deletions.plan(batchId, 0, 1, ...EARLIER);
  const held = holdFirstAt(deletions, 'intent-laid');
  const earlier = deletions.apply({ batchId, indexes: [0] }, 1, ...EARLIER);
  await held.reached;
  await deletions.plan(batchId, 0, 1, ...LATER);
  await deletions.apply({ batchId, indexes: [0] }, 1, ...LATER);
  await deletions.add({ 'Leaf:target': [] });
  held.letGo();
  await expect(earlier).rejects.toThrow(SupersededError);
  expect(await deletions.results(batchId)).toEqual(['missing_dependency']);
  expect(await deletions.seen()).toEqual(['Leaf:target']);
  expect(await intentsIn(deletions.database).countDocuments({ batchId })).toBe(0);
});

test('decisions of an earlier execution are not stored once a later one is at work', async () => {
  const batchId = await deletions.acceptUpload('Twig', [{ externalId: 'a', Leaf: ['target'] }]);
  await deletions.plan(batchId, 0, 1, ...EARLIER);
  // the activity finds no target, and is stopped before it stores the failure of the item
  const first = holdFirstAt(deletions, 'written');
  const earlier = deletions.apply({ batchId, indexes: [0] }, 1, ...EARLIER);
  await first.reached;
  await deletions.add({ 'Leaf:target': [] });
  await deletions.plan(batchId, 0, 1, ...LATER);
  const second = holdFirstAt(deletions, 'written');
  const later = deletions.apply({ batchId, indexes: [0] }, 1, ...LATER);
  await second.reached;
  first.letGo();
  await expect(earlier).rejects.toThrow(SupersededError);
  second.letGo();
  await later;
  expect(await deletions.results(batchId)).toEqual(['created']);
  expect(await deletions.seen()).toEqual(['Leaf:target', 'Twig:a']);
});

test('an activity of an earlier execution that begins after the later one stops, although nothing of the later one is left', async () => {
  const batchId = await deletions.acceptUpload('Leaf', [{ externalId: 'a' }]);
  await deletions.plan(batchId, 0, 1, ...EARLIER);
  await deletions.plan(batchId, 0, 1, ...LATER);
  const late = deletions.apply({ batchId, indexes: [0] }, 1, EARLIER[0] + 1, EARLIER[1]);
  await expect(late).rejects.toThrow(SupersededError);
  expect(await deletions.results(batchId)).toEqual(['queued']);
});

test('a later execution that does not plan takes over as well, and leaves no intent of the earlier one', async () => {
  const batchId = await deletions.acceptUpload('Leaf', [{ externalId: 'a' }, { externalId: 'b' }]);
  await deletions.plan(batchId, 0, 1, ...EARLIER);
  const held = holdFirstAt(deletions, 'checked');
  const earlier = deletions.apply({ batchId, indexes: [1] }, 1, ...EARLIER);
  await held.reached;
  // another item than the one that the earlier execution is at
  await deletions.apply({ batchId, indexes: [0] }, 1, ...LATER);
  held.letGo();
  await expect(earlier).rejects.toThrow(SupersededError);
  expect(await deletions.seen()).toEqual(['Leaf:a']);
  expect(await intentsIn(deletions.database).countDocuments({ batchId })).toBe(0);
});

test('a later execution that cancels a batch stops the activities of the earlier one', async () => {
  const batchId = await deletions.acceptUpload('Leaf', [{ externalId: 'a' }]);
  await deletions.plan(batchId, 0, 1, ...EARLIER);
  const held = holdFirstAt(deletions, 'intent-laid');
  const earlier = deletions.apply({ batchId, indexes: [0] }, 1, ...EARLIER);
  await held.reached;
  expect((await deletions.finish(batchId, true, ...LATER)).status).toBe('cancelled');
  held.letGo();
  await expect(earlier).rejects.toThrow(SupersededError);
  expect(await deletions.results(batchId)).toEqual(['cancelled']);
  expect(await deletions.seen()).toEqual([]);
});

test('a step of an earlier execution that continues after a later one has planned again deletes nothing', async () => {
  await deletions.add({ 'Leaf:a': [] });
  const batchId = await deletions.acceptDelete({ ids: ['a'] });
  const [old = 0] = stepsOf(await deletions.plan(batchId, 0, 1, ...EARLIER));
  const held = holdFirstAt(deletions, 'marked');
  const earlier = deletions.attemptStep(batchId, old, ...EARLIER);
  await held.reached;
  const [step = 0] = stepsOf(await deletions.plan(batchId, 0, 1, ...LATER));
  held.letGo();
  await expect(earlier).rejects.toThrow(SupersededError);
  expect(await deletions.seen()).toEqual(['Leaf:a']);
  await deletions.attemptStep(batchId, step, ...LATER);
  expect(await deletions.results(batchId)).toEqual(['deleted']);
  await expect(deletions.attemptStep(batchId, old, ...EARLIER)).rejects.toThrow(SupersededError);
});
