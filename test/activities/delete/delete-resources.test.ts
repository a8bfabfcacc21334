import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../../activities/activity-context.ts';
import { markForDeletion } from '../../../isolation/deletes/deletion-marks.ts';
import { removeDeletionPlan } from '../../../isolation/deletes/step-groups.ts';
import { decideGroup, groupsIn } from '../../../isolation/groups/groups.ts';
import { allExternalIds } from '../../../isolation/resources/reference-graph.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { outcomePagesIn } from '../../../store/items/outcomes.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { type DeleteRequest, Deletions, type Forest, isBlocked, Killed, SCHEMAS } from '../deletions.ts';

let deletions: Deletions;
beforeAll(async () => {
  deletions = await Deletions.start();
});
afterAll(() => deletions.stop());
afterEach(() => {
  deletions.atCheckpoint = undefined;
});

/** Runs `act` the first time that the batch reaches a checkpoint. */
function once(checkpoint: Checkpoint, batchId: string, act: () => Promise<void>): void {
  let done = false;
  deletions.atCheckpoint = async (at, id) => {
    if (done || at !== checkpoint || id !== batchId) return;
    done = true;
    await act();
  };
}

const kill = async (): Promise<never> => {
  throw new Killed();
};

/** Every step of a plan, in order. */
async function stepsOf(batchId: string): Promise<number[]> {
  const plan = await deletions.plan(batchId);
  return (plan?.stages ?? []).flat().flatMap((work) => (work.kind === 'step' ? [work.step] : []));
}

/** A cycle with a tail, a resource that an outsider keeps, and what that resource refers to. */
const WORLD: Forest = {
  'Leaf:a': ['Leaf:b'],
  'Leaf:b': ['Leaf:a', 'Leaf:b'],
  'Leaf:tail': [],
  'Twig:onTail': ['Leaf:tail'],
  'Root:onTwig': ['Twig:onTail'],
  'Leaf:kept': ['Leaf:below'],
  'Leaf:below': [],
  'Root:outside': ['Leaf:kept'],
};
const IDS = ['a', 'b', 'nowhere', 'a', 'kept', 'below', 'kept', 'nowhere'];
const RESULTS = [
  'deleted',
  'deleted',
  'not_found',
  'deleted again',
  'referenced',
  'referenced',
  'referenced again',
  'not_found again',
];

describe('a delete', () => {
  test('gives each item its outcome once, names the referrers that keep a resource, and leaves no plan behind', async () => {
    await deletions.store(WORLD);
    const batchId = await deletions.acceptDelete({ ids: IDS });
    const { counted, summary } = await deletions.runDelete(batchId);
    expect(await deletions.results(batchId)).toEqual(RESULTS);
    expect(counted.counts).toEqual(summary.counts);
    expect(counted.actions).toEqual(summary.actions);
    expect(summary).toMatchObject({
      status: 'success',
      counts: { queued: 0, succeeded: 3, skipped: 5 },
      actions: { deleted: 2, cascaded: 0 },
      errorCodes: { not_found: 2, referenced: 3 },
    });
    const outcomes = await deletions.outcomes(batchId);
    expect(outcomes[4]?.errors?.[0]?.message).toBe('Leaf "kept" is referred to by Root "outside"');
    expect(outcomes[5]?.errors?.[0]?.message).toBe('Leaf "below" is referred to by Leaf "kept"');
    expect(outcomes.map(({ attempts }) => attempts)).toEqual(IDS.map(() => 1));
    expect(await deletions.seen()).toEqual([
      'Leaf:below',
      'Leaf:kept',
      'Leaf:tail',
      'Root:onTwig',
      'Root:outside',
      'Twig:onTail',
    ]);
    expect(await deletions.leftovers()).toBe(0);
  });

  test('with cascade deletes the referring resources through every schema definition, and counts them separately', async () => {
    await deletions.store(WORLD);
    const batchId = await deletions.acceptDelete({ ids: ['tail', 'a', 'kept'], cascade: true });
    const { counted, summary } = await deletions.runDelete(batchId);
    expect(summary.actions).toMatchObject({ deleted: 3, cascaded: 4 });
    expect(counted.actions).toEqual(summary.actions);
    expect(await deletions.seen()).toEqual(['Leaf:below']);
  });

  test('a lost completion changes nothing: a step that is delivered twice counts once', async () => {
    await deletions.store(WORLD);
    const batchId = await deletions.acceptDelete({ ids: [...IDS, 'tail'], cascade: true });
    const { counted, summary } = await deletions.runDelete(batchId, { redeliver: true });
    expect(counted.counts).toEqual(summary.counts);
    expect(summary.counts).toMatchObject({ succeeded: 7, skipped: 2 });
    expect(summary.actions).toMatchObject({ deleted: 5, cascaded: 3 });
  });

  test.each<Checkpoint>(['marked', 'referrers-checked', 'committed', 'deleted', 'outcomes-stored'])(
    'killed at "%s", it continues where it was: the same outcomes, numbers and resources',
    async (checkpoint) => {
      await deletions.store(WORLD);
      const batchId = await deletions.acceptDelete({ ids: [...IDS, 'tail'], cascade: true });
      const steps = await stepsOf(batchId);
      let cascaded = 0;
      let deleted = 0;
      for (const step of steps) {
        let killed = 0;
        deletions.atCheckpoint = async (at) => {
          if (at === checkpoint && killed++ === 0) await kill();
        };
        await deletions.step(batchId, step).catch((error: unknown) => {
          if (!(error instanceof Killed)) throw error;
        });
        deletions.atCheckpoint = undefined;
        await deletions.seen();
        const result = await deletions.step(batchId, step, 2);
        cascaded += result.cascaded;
        deleted += result.tally.actions.deleted ?? 0;
      }
      expect(await deletions.plan(batchId, 1)).toEqual({
        tally: { counts: {}, actions: {}, errorCodes: {} },
        stages: [],
      });
      expect(cascaded).toBe(3);
      const summary = await deletions.finish(batchId);
      expect(summary.counts).toMatchObject({ succeeded: 7, skipped: 2, queued: 0 });
      expect(summary.actions).toMatchObject({ deleted: 5, cascaded: 3 });
      expect(deleted).toBe(5);
      expect(await deletions.seen()).toEqual([]);
      expect(await deletions.leftovers()).toBe(0);
    },
  );

  test.each<Checkpoint>(['committed', 'deleted'])(
    'killed at "%s", it does not delete a resource that was uploaded again since, and its items stay deleted',
    async (checkpoint) => {
      await deletions.store({ 'Leaf:a': [] });
      const batchId = await deletions.acceptDelete({ ids: ['a'] });
      const [step = 0] = await stepsOf(batchId);
      once(checkpoint, batchId, kill);
      await expect(deletions.step(batchId, step)).rejects.toThrow(Killed);
      const upload = await deletions.acceptUpload('Leaf', [{ externalId: 'a' }]);
      expect((await deletions.apply({ batchId: upload, indexes: [0] })).tally.actions).toEqual({ created: 1 });
      expect((await deletions.step(batchId, step, 2)).tally.actions).toEqual({ deleted: 1 });
      expect(await deletions.results(batchId)).toEqual(['deleted']);
      expect(await deletions.seen()).toEqual(['Leaf:a']);
      await deletions.finish(batchId);
    },
  );

  test('the members of a step vanish at one moment, whichever resources are already removed', async () => {
    await deletions.store({ 'Leaf:a': ['Leaf:b'], 'Leaf:b': ['Leaf:a'], 'Leaf:c': ['Leaf:a'] });
    const batchId = await deletions.acceptDelete({ ids: ['a', 'b', 'c'] });
    const seen: [string, string[]][] = [];
    deletions.atCheckpoint = async (at) => void seen.push([at, await deletions.seen()]);
    await deletions.runDelete(batchId);
    const all = ['Leaf:a', 'Leaf:b', 'Leaf:c'];
    expect(seen).toEqual([
      ['marked', all],
      ['referrers-checked', all],
      ['committed', []],
      ['deleted', []],
      ['outcomes-stored', []],
      ['ended', []],
    ]);
  });

  test('a plan that was made twice is applied once, and the abandoned one does no harm', async () => {
    await deletions.store(WORLD);
    const batchId = await deletions.acceptDelete({ ids: IDS });
    const [lost] = await stepsOf(batchId);
    const again = await deletions.plan(batchId, 0, 2);
    const steps = (again?.stages ?? []).flat().flatMap((work) => (work.kind === 'step' ? [work.step] : []));
    expect(steps).not.toContain(lost);
    for (const step of steps) await deletions.step(batchId, step);
    await deletions.finish(batchId);
    expect(await deletions.results(batchId)).toEqual(RESULTS);
    expect(await deletions.leftovers()).toBe(0);
  });

  test('a step that was abandoned after its commit is finished before the next plan', async () => {
    await deletions.store({ 'Leaf:a': [], 'Leaf:b': [] });
    const batchId = await deletions.acceptDelete({ ids: ['a', 'b'] });
    const [step = 0] = await stepsOf(batchId);
    once('committed', batchId, kill);
    await expect(deletions.step(batchId, step)).rejects.toThrow(Killed);
    expect((await deletions.plan(batchId, 1))?.stages).toEqual([]);
    expect(await deletions.results(batchId)).toEqual(['deleted', 'deleted']);
    expect(await resourcesIn(deletions.database).countDocuments({})).toBe(0);
    await deletions.finish(batchId);
  });

  const AFTER_COMMIT: readonly Checkpoint[] = ['committed', 'deleted', 'outcomes-stored'];
  test.each(AFTER_COMMIT)(
    'steps that fail for good from "%s" on, after their commit, count their cascaded deletions once',
    async (checkpoint) => {
      await deletions.store(WORLD);
      const batchId = await deletions.acceptDelete({ ids: ['tail', 'a', 'kept'], cascade: true });
      deletions.atCheckpoint = async (at) => {
        if (AFTER_COMMIT.indexOf(at) >= AFTER_COMMIT.indexOf(checkpoint)) await kill();
      };
      for (const step of await stepsOf(batchId)) {
        for (const attempt of [1, 2]) await expect(deletions.step(batchId, step, attempt)).rejects.toThrow(Killed);
      }
      deletions.atCheckpoint = undefined;
      const summary = await deletions.finish(batchId);
      expect(summary).toMatchObject({ counts: { succeeded: 3 }, actions: { deleted: 3, cascaded: 4 } });
      expect(await deletions.finish(batchId)).toEqual(summary);
      expect(await deletions.seen()).toEqual(['Leaf:below']);
      expect(await deletions.leftovers()).toBe(0);
    },
  );

  test('cascaded deletions of an earlier round count too, even if the workflow has lost them', async () => {
    await deletions.store({ 'Leaf:a': [], 'Twig:on': ['Leaf:a'] });
    const batchId = await deletions.acceptDelete({ ids: ['a'], cascade: true });
    const [step = 0] = await stepsOf(batchId);
    once('committed', batchId, kill);
    await expect(deletions.step(batchId, step)).rejects.toThrow(Killed);
    expect((await deletions.plan(batchId, 1))?.stages).toEqual([]);
    // the next round has finished the step; a late attempt of the step changes nothing
    expect((await deletions.step(batchId, step, 2)).cascaded).toBe(1);
    expect((await deletions.finish(batchId)).actions).toMatchObject({ deleted: 1, cascaded: 1 });
  });

  test('a batch that ends before the commit takes its marks back; if it ends after the commit, its resources stay deleted', async () => {
    for (const [checkpoint, left] of [
      ['referrers-checked', ['Leaf:a']],
      ['committed', []],
    ] as const) {
      await deletions.store({ 'Leaf:a': [] });
      const batchId = await deletions.acceptDelete({ ids: ['a'] });
      const [step = 0] = await stepsOf(batchId);
      once(checkpoint, batchId, kill);
      await expect(deletions.step(batchId, step)).rejects.toThrow(Killed);
      await removeDeletionPlan(deletions.database, batchId);
      expect(await deletions.seen()).toEqual(left);
      expect(await deletions.leftovers()).toBe(0);
      await deletions.finish(batchId, true);
    }
  });

  test('a retry deletes the resources that the first run did not reach, and counts those that it deleted', async () => {
    await deletions.store({ 'Leaf:a': [], 'Leaf:b': [] });
    const batchId = await deletions.acceptDelete({ ids: ['a', 'b', 'a', 'b'] });
    const { database } = deletions;
    const first = { status: 'succeeded', action: 'deleted', attempts: 1 } as const;
    await resourcesIn(database).deleteOne({ _id: deletions.key('Leaf:a') });
    await outcomePagesIn(database).insertOne({ _id: `${batchId}/0`, outcomes: { 0: first } });
    const { counted } = await deletions.runDelete(batchId);
    expect(await deletions.results(batchId)).toEqual(['deleted', 'deleted', 'deleted again', 'deleted again']);
    expect(counted).toMatchObject({ counts: { succeeded: 4, queued: 0 }, actions: { deleted: 2 } });
  });

  test('many ids make more than one step a stage, and chains share a step', async () => {
    const forest: Forest = {};
    for (let at = 0; at < 300; at++) forest[`Leaf:c${at}`] = at > 0 ? [`Leaf:c${at - 1}`] : [];
    for (let at = 0; at < 300; at++) forest[`Leaf:w${at}`] = ['Leaf:c0'];
    await deletions.store(forest);
    const ids = Object.keys(forest).map((name) => name.slice('Leaf:'.length));
    const batchId = await deletions.acceptDelete({ ids });
    const { counted } = await deletions.runDelete(batchId);
    expect(counted).toMatchObject({ counts: { succeeded: 600 }, actions: { deleted: 600 } });
    expect(await deletions.seen()).toEqual([]);
  });
});

describe('a delete while others write', () => {
  test('a resource that another batch refers to after planning stays, with the resources that it refers to', async () => {
    await deletions.store({ 'Leaf:a': ['Leaf:b'], 'Leaf:b': [], 'Leaf:c': [] });
    const batchId = await deletions.acceptDelete({ ids: ['a', 'b', 'c'] });
    const { counted, summary } = await deletions.runDelete(batchId, {
      beforeSteps: async (round) => {
        if (round === 0) await deletions.add({ 'Root:new': ['Leaf:a'] });
      },
    });
    expect(await deletions.results(batchId)).toEqual(['referenced', 'referenced', 'deleted']);
    expect(counted.counts).toEqual(summary.counts);
    expect(await deletions.seen()).toEqual(['Leaf:a', 'Leaf:b', 'Root:new']);
  });

  test('with cascade, a referrer that appears after planning is deleted in the next round', async () => {
    await deletions.store({ 'Leaf:a': ['Leaf:b'], 'Leaf:b': [], 'Twig:on': ['Leaf:a'] });
    const batchId = await deletions.acceptDelete({ ids: ['b'], cascade: true });
    const rounds: number[] = [];
    const { counted, summary } = await deletions.runDelete(batchId, {
      beforeSteps: async (round) => {
        rounds.push(round);
        if (round === 0) await deletions.add({ 'Root:new': ['Twig:on'] });
      },
    });
    expect(rounds).toEqual([0, 1, 2]);
    expect(await deletions.seen()).toEqual([]);
    expect(summary.actions).toMatchObject({ deleted: 1, cascaded: 3 });
    expect(counted.actions).toEqual(summary.actions);
  });

  test('a referrer that drops its reference after planning is not deleted by the cascade', async () => {
    await deletions.store({ 'Leaf:a': [], 'Twig:lets-go': ['Leaf:a'], 'Root:on': ['Twig:lets-go'] });
    const batchId = await deletions.acceptDelete({ ids: ['a'], cascade: true });
    await deletions.runDelete(batchId, {
      beforeSteps: async (round) => {
        if (round > 0) return;
        await resourcesIn(deletions.database).updateOne(
          { _id: deletions.key('Twig:lets-go') },
          { $set: { references: [] } },
        );
        await resourcesIn(deletions.database).updateOne(
          { _id: deletions.key('Root:on') },
          { $set: { references: [] } },
        );
      },
    });
    expect(await deletions.seen()).toEqual(['Root:on', 'Twig:lets-go']);
    expect(await deletions.results(batchId)).toEqual(['deleted']);
  });

  test('the delete waits for a writer that has read its target before the mark: the target stays', async () => {
    await deletions.store({ 'Leaf:a': [] });
    const batchId = await deletions.acceptDelete({ ids: ['a'] });
    const upload = await deletions.acceptUpload('Root', [{ externalId: 'r', Leaf: ['a'] }]);
    const [step = 0] = await stepsOf(batchId);
    let deleting: Promise<unknown> = Promise.resolve();
    const marked = new Promise<void>((resolve) => {
      deletions.atCheckpoint = async (at, id) => {
        if (at === 'marked' && id === batchId) resolve();
        if (at !== 'checked' || id !== upload) return;
        deleting = deletions.step(batchId, step);
        await marked;
        // the delete reads the intents now, and finds this one
        await sleep(150);
      };
    });
    expect((await deletions.apply({ batchId: upload, indexes: [0] })).tally.counts).toEqual({ succeeded: 1 });
    await deleting;
    deletions.atCheckpoint = undefined;
    expect(await deletions.results(batchId)).toEqual(['queued']);
    await deletions.runDelete(batchId, { from: 1 });
    expect(await deletions.results(batchId)).toEqual(['referenced']);
    expect(await deletions.seen()).toEqual(['Leaf:a', 'Root:r']);
  });

  test.each<Checkpoint>(['marked', 'referrers-checked'])(
    'a writer that reads its target while the delete is at "%s" waits, and its target is missing afterwards',
    async (checkpoint) => {
      await deletions.store({ 'Leaf:a': [] });
      const batchId = await deletions.acceptDelete({ ids: ['a'] });
      const upload = await deletions.acceptUpload('Root', [{ externalId: 'r', Leaf: ['a'] }]);
      const patch = await deletions.acceptUpload('Leaf', [{ externalId: 'a', note: 'still here?' }]);
      once(checkpoint, batchId, async () => {
        await expect(deletions.apply({ batchId: upload, indexes: [0] })).rejects.toSatisfy(isBlocked);
        await expect(deletions.apply({ batchId: patch, indexes: [0] })).rejects.toSatisfy(isBlocked);
      });
      await deletions.runDelete(batchId);
      const { tally } = await deletions.apply({ batchId: upload, indexes: [0] }, 2);
      expect(tally).toMatchObject({ counts: { failed: 1 }, errorCodes: { missing_dependency: 1 } });
      expect((await deletions.apply({ batchId: patch, indexes: [0] }, 2)).tally.actions).toEqual({ created: 1 });
      expect(await deletions.seen()).toEqual(['Leaf:a']);
    },
  );

  test('a writer that is delivered again does not restore a resource that was deleted since', async () => {
    await deletions.store({});
    const upload = await deletions.acceptUpload('Leaf', [{ externalId: 'a' }, { externalId: 'b' }]);
    once('inserted', upload, kill);
    await expect(deletions.apply({ batchId: upload, indexes: [0, 1] })).rejects.toThrow(Killed);
    expect(await deletions.seen()).toEqual(['Leaf:a', 'Leaf:b']);
    await deletions.runDelete(await deletions.acceptDelete({ ids: ['a'] }));
    const { tally } = await deletions.apply({ batchId: upload, indexes: [0, 1] }, 2);
    expect(tally).toMatchObject({ counts: { succeeded: 2 }, actions: { created: 2 } });
    expect(await deletions.seen()).toEqual(['Leaf:b']);
  });

  test('two deletes of the same resources delete each resource once, and none is left', async () => {
    const forest: Forest = {};
    for (let at = 0; at < 120; at++) forest[`Leaf:n${at}`] = at % 3 === 0 ? [] : [`Leaf:n${at - 1}`];
    await deletions.store(forest);
    const ids = Object.keys(forest).map((name) => name.slice('Leaf:'.length));
    const batches = [
      await deletions.acceptDelete({ ids }),
      await deletions.acceptDelete({ ids: ids.toReversed(), cascade: true }),
    ];
    await Promise.all(batches.map((batchId) => deletions.runDelete(batchId)));
    expect(await deletions.seen()).toEqual([]);
    const [one = [], other = []] = await Promise.all(batches.map((batchId) => deletions.results(batchId)));
    other.reverse();
    for (const [at, result] of one.entries()) expect([result, other[at]].sort()).toEqual(['deleted', 'not_found']);
    expect(await deletions.leftovers()).toBe(0);
  });

  test('a mark of a finished batch is resolved: the resource stays, or it is deleted, as its group says', async () => {
    for (const state of ['aborted', 'committed'] as const) {
      await deletions.store({ 'Leaf:a': [], 'Leaf:b': [] });
      const dead = await deletions.acceptDelete({ ids: ['a'] });
      await markForDeletion(deletions.database, dead, `${dead}/1/0`, [deletions.key('Leaf:a')]);
      if (state === 'committed') await decideGroup(deletions.database, `${dead}/1/0`, 'committed', []);
      await batchesIn(deletions.database).updateOne({ _id: dead }, { $set: { status: 'cancelled' } });
      const batchId = await deletions.acceptDelete({ ids: ['a', 'b'] });
      await deletions.runDelete(batchId);
      expect(await deletions.results(batchId)).toEqual([state === 'aborted' ? 'deleted' : 'not_found', 'deleted']);
      await groupsIn(deletions.database).deleteMany({});
    }
  });
});

describe('a dry run', () => {
  const names = (schema: string) => fc.nat(4).map((n) => `${schema}:${n}`);
  const anyName = fc.constantFrom(...SCHEMAS).chain(names);
  const forests = fc
    .uniqueArray(anyName, { maxLength: 12 })
    .chain((all) =>
      fc.tuple(
        ...all.map((name) =>
          fc.tuple(
            fc.constant(name),
            all.length ? fc.array(fc.constantFrom(...all), { maxLength: 2 }) : fc.constant([]),
          ),
        ),
      ),
    )
    .map((entries): Forest => Object.fromEntries(entries));
  const requests = fc.record({
    schema: fc.constantFrom(...SCHEMAS),
    ids: fc.array(fc.nat(5).map(String), { minLength: 1, maxLength: 7 }),
    cascade: fc.boolean(),
  });

  test('changes nothing, and gives the numbers of the real run', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(forests, requests, async (forest: Forest, request: DeleteRequest) => {
        await deletions.store(forest);
        const before = await resourcesIn(deletions.database).find({}).toArray();
        const preview = await deletions.preview(request);
        expect(await resourcesIn(deletions.database).find({}).toArray()).toEqual(before);
        const batchId = await deletions.acceptDelete(request);
        const { counted, summary } = await deletions.runDelete(batchId);
        const after = new Set(await deletions.seen());
        const gone = Object.keys(forest).filter((name) => !after.has(name));
        expect(preview.totalDeletions).toBe(gone.length);
        expect(preview.totalDeletions).toBe(summary.actions.deleted + summary.actions.cascaded);
        for (const { schemaDefinitionName: schema, count } of preview.deletions) {
          expect([schema, count]).toEqual([schema, gone.filter((name) => name.startsWith(`${schema}:`)).length]);
        }
        const firsts = (await deletions.results(batchId)).filter((result) => !result.endsWith('again'));
        expect(preview.skipped).toBe(firsts.filter((result) => result === 'referenced').length);
        expect(preview.notFound).toBe(firsts.filter((result) => result === 'not_found').length);
        expect(counted.counts).toEqual(summary.counts);
        expect(summary.counts.queued + summary.counts.failed).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('is aborted after its deadline', async () => {
    await deletions.store(WORLD);
    await expect(deletions.preview({ ids: ['a'] }, Date.now() - 1)).rejects.toMatchObject({ code: 'preview_timeout' });
  });
});

test('external ids of a deleteAll come in full pages, without resources that readers do not see', async () => {
  const forest: Forest = {};
  for (let at = 0; at < 25; at++) forest[`Leaf:${at}`] = [];
  await deletions.store({ ...forest, 'Twig:other': [] });
  const { database, scope } = deletions;
  const some = [3, 7, 11].map((at) => deletions.key(`Leaf:${at}`));
  await markForDeletion(database, 'gone', 'gone/1/0', some);
  await decideGroup(database, 'gone/1/0', 'committed', []);
  await markForDeletion(database, 'undecided', 'undecided/1/0', [deletions.key('Leaf:20')]);
  const pages: string[][] = [];
  for await (const page of allExternalIds(database, scope, deletions.schemaIds.get('Leaf') ?? '', 10)) pages.push(page);
  expect(pages.map((page) => page.length)).toEqual([10, 10, 2]);
  const expected = Object.keys(forest)
    .map((name) => name.slice(5))
    .filter((id) => !['3', '7', '11'].includes(id));
  expect(pages.flat().sort()).toEqual(expected.sort());
  await groupsIn(database).deleteMany({});
});
