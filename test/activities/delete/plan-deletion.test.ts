import { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeletionDecision, decideDeletion } from '../../../domain/delete/decide-deletion.ts';
import { MemoryExceededError } from '../../../services/deletes/memory-allowance.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { type DeleteRequest, Deletions, type Forest, isBlocked, SCHEMAS } from '../deletions.ts';

/** More ids than a delete ever checks one by one. */
const MANY = 1_001;

let deletions: Deletions;
/** Leaves without any link. */
const fillers: Forest = Object.fromEntries(Array.from({ length: MANY }, (_, n) => [`Leaf:free-${n}`, []]));
beforeAll(async () => {
  deletions = await Deletions.start();
});
afterAll(() => deletions.stop());

const names = fc.constantFrom(...SCHEMAS).chain((schema) => fc.nat(4).map((n) => `${schema}:${n}`));
const forests: fc.Arbitrary<Forest> = fc
  .uniqueArray(names, { minLength: 1, maxLength: 12 })
  .chain((all) =>
    fc.tuple(...all.map((name) => fc.tuple(fc.constant(name), fc.array(fc.constantFrom(...all), { maxLength: 2 })))),
  )
  .map((entries): Forest => Object.fromEntries(entries));

const isLeaf = (name: string): boolean => name.startsWith('Leaf:');
const idsOf = (forest: Forest): string[] =>
  Object.keys(forest)
    .filter(isLeaf)
    .map((name) => name.slice('Leaf:'.length));

/** The expected outcomes of the leaves, decided on the whole forest at once. */
const decideOn = (forest: Forest, cascade: boolean): DeletionDecision =>
  decideDeletion({ targets: Object.keys(forest).filter(isLeaf), references: new Map(Object.entries(forest)) }, cascade);

const perSchema = (deleted: readonly string[]): Map<string, number> =>
  new Map(
    SCHEMAS.map((schema): [string, number] => [
      schema,
      deleted.filter((name) => name.startsWith(`${schema}:`)).length,
    ]).filter(([, count]) => count > 0),
  );

async function expectPreview(request: DeleteRequest, forest: Forest, notFound: number): Promise<void> {
  const { stages, kept } = decideOn(forest, request.cascade ?? false);
  const preview = await deletions.preview(request);
  expect(preview).toMatchObject({ totalDeletions: stages.flat(2).length, skipped: kept.size, notFound });
  const previewed = preview.deletions.map(({ schemaDefinitionName, count }) => [schemaDefinitionName, count] as const);
  expect(new Map(previewed)).toEqual(perSchema(stages.flat(2)));
}

describe('a delete of more ids than are checked one by one', () => {
  test('a dry run of everything, or of as many ids, decides as on the whole graph', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(forests, fc.boolean(), async (linked, cascade) => {
        const forest = { ...fillers, ...linked };
        await deletions.store(forest);
        await expectPreview({ ids: [], deleteAll: true, cascade }, forest, 0);
        await expectPreview({ ids: [...idsOf(forest), 'nowhere', 'nowhere'], cascade }, forest, 1);
      }),
      { numRuns: 25 },
    );
    expect(deletions.planningMemory.held).toBe(0);
  });

  test('the real run of everything deletes the same resources, and gives each item its outcome', {
    timeout: 120_000,
  }, async () => {
    const linked: Forest = {
      'Root:1': ['Twig:1'],
      'Twig:1': ['Leaf:held', 'Leaf:also'],
      'Leaf:held': ['Leaf:below'],
      'Leaf:below': [],
      'Leaf:also': ['Leaf:also'],
      'Leaf:a': ['Leaf:b'],
      'Leaf:b': ['Leaf:a', 'Leaf:c'],
      'Leaf:c': [],
    };
    for (const cascade of [false, true]) {
      const forest = { ...fillers, ...linked };
      await deletions.store(forest);
      const { stages, kept } = decideOn(forest, cascade);
      const deleted = new Set(stages.flat(2));
      const ids = idsOf(forest);
      const batchId = await deletions.acceptDelete({ ids, deleteAll: true, cascade });
      // one resource that is deleted before the delete is planned, and one that is created after its acceptance
      await resourcesIn(deletions.database).deleteOne({ _id: deletions.key('Leaf:free-7') });
      await deletions.add({ 'Leaf:late': [] });
      const { counted, summary } = await deletions.runDelete(batchId);
      expect(counted.counts).toEqual(summary.counts);
      expect(await deletions.seen()).toEqual(
        [...Object.keys(forest).filter((name) => !deleted.has(name)), 'Leaf:late'].sort(),
      );
      const results = await deletions.results(batchId);
      expect(results).toEqual(
        ids.map((id) => (id === 'free-7' ? 'not_found' : kept.has(`Leaf:${id}`) ? 'referenced' : 'deleted')),
      );
      expect(summary.actions.cascaded).toBe(cascade ? 2 : 0);
      expect(await deletions.leftovers()).toBe(0);
    }
  });

  test('resources without links take no memory, however many there are', async () => {
    await deletions.store(fillers);
    const { planningMemory } = deletions;
    const batchId = await deletions.acceptDelete({ ids: idsOf(fillers), deleteAll: true });
    const planned = await planningMemory.lend(async (charge) => {
      charge(planningMemory.limit - 1_000);
      return deletions.plan(batchId);
    });
    const items = planned?.stages.flat().reduce((sum, work) => sum + (work.kind === 'step' ? work.items : 0), 0);
    expect(items).toBe(MANY);
  });
});

describe('a delete whose references take more memory than is available', () => {
  const chain: Forest = Object.fromEntries(
    Array.from({ length: MANY }, (_, n) => [`Leaf:${n}`, n > 0 ? [`Leaf:${n - 1}`] : []]),
  );

  test('is tried again while other deletes hold some of it, and a dry run fails', async () => {
    await deletions.store(chain);
    const batchId = await deletions.acceptDelete({ ids: idsOf(chain), deleteAll: true });
    const { planningMemory } = deletions;
    await planningMemory.lend(async (charge) => {
      charge(planningMemory.limit - 10_000);
      await expect(deletions.plan(batchId)).rejects.toSatisfy(isBlocked);
      await expect(deletions.preview({ ids: [], deleteAll: true })).rejects.toThrow(MemoryExceededError);
      expect(planningMemory.held).toBe(planningMemory.limit - 10_000);
    });
    expect(planningMemory.held).toBe(0);
    expect((await deletions.plan(batchId))?.stages.length).toBeGreaterThan(0);
  });

  test('fails for good if no other delete holds any', async () => {
    const small = await Deletions.start(10_000);
    await small.store(chain);
    const batchId = await small.acceptDelete({ ids: idsOf(chain), deleteAll: true });
    const failure = await small.plan(batchId).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ nonRetryable: true, message: expect.stringMatching(/DELETION_MEMORY_BYTES/) });
    await small.stop();
  });
});
