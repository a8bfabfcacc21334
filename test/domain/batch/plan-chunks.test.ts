import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PlannedItem, planStages, resourcesPerActivity, type Stage } from '../../../domain/batch/plan-chunks.ts';
import { MAX_RESOURCES_PER_BATCH } from '../../../domain/limits.ts';
import { BODIES_PER_PAGE } from '../../../store/items/item-pages.ts';
import { cpuMs } from '../../../testkit/measure.ts';

/** Up to 40 items over few keys (so that some repeat), some without a key, with references inside and outside of the batch. */
const batches: fc.Arbitrary<PlannedItem[]> = fc
  .array(
    fc.record({
      key: fc.option(fc.nat(30), { freq: 12 }),
      references: fc.oneof(
        { weight: 3, arbitrary: fc.constant<number[]>([]) },
        { weight: 2, arbitrary: fc.array(fc.nat(35), { maxLength: 3 }) },
      ),
    }),
    { maxLength: 40 },
  )
  .map((items) =>
    items.map(({ key, references }, index) => ({
      index,
      key: key === null ? null : `k${key}`,
      references: references.map((reference) => `k${reference}`),
    })),
  );
const sizes = fc.integer({ min: 1, max: 12 });

const item = (index: number, key: string | null, ...references: string[]): PlannedItem => ({ index, key, references });

function chain(length: number): PlannedItem[] {
  return Array.from({ length }, (_, index) => item(index, `k${index}`, `k${index + 1}`));
}

interface Place {
  readonly stage: number;
  /** Numbers of the chunks, counted over all stages. */
  readonly chunk: number;
  readonly position: number;
}

function placesOf(stages: readonly Stage[]): Map<number, Place> {
  const places = new Map<number, Place>();
  let chunkNumber = 0;
  for (const [stage, chunks] of stages.entries()) {
    for (const chunk of chunks) {
      for (const [position, index] of chunk.entries()) places.set(index, { stage, chunk: chunkNumber, position });
      chunkNumber += 1;
    }
  }
  return places;
}

/** Naive: for each key all keys of the batch that it reaches by one or more references. */
function reachOf(items: readonly PlannedItem[]): Map<string, Set<string>> {
  const present = new Set(items.map(({ key }) => key));
  const direct = (key: string): string[] =>
    items.filter((other) => other.key === key).flatMap(({ references }) => references.filter((to) => present.has(to)));
  const reach = new Map<string, Set<string>>();
  for (const { key } of items) {
    if (key === null || reach.has(key)) continue;
    const reached = new Set(direct(key));
    for (const to of reached) for (const further of direct(to)) reached.add(further);
    reach.set(key, reached);
  }
  return reach;
}

/** Whether two keys have to share a chunk: they are the same, or each reaches the other. */
function inOneCycle(items: readonly PlannedItem[]): (a: string | null, b: string | null) => boolean {
  const reach = reachOf(items);
  return (a, b) =>
    a !== null && b !== null && (a === b || (reach.get(a)?.has(b) === true && reach.get(b)?.has(a) === true));
}

describe('stages of a batch', () => {
  test('every index is planned exactly once', () => {
    fc.assert(
      fc.property(batches, sizes, (items, size) => {
        const planned = planStages(items, size).flat(2);
        expect(planned.sort((a, b) => a - b)).toEqual(items.map(({ index }) => index));
      }),
    );
  });

  test('items of one key share a chunk in the order received, and so do the members of a cycle', () => {
    fc.assert(
      fc.property(batches, sizes, (items, size) => {
        const places = placesOf(planStages(items, size));
        const together = inOneCycle(items);
        for (const a of items) {
          for (const b of items) {
            if (a.index >= b.index || !together(a.key, b.key)) continue;
            const [placeA, placeB] = [places.get(a.index), places.get(b.index)];
            expect(placeA?.chunk).toBe(placeB?.chunk);
            expect(placeA?.position).toBeLessThan(placeB?.position ?? -1);
          }
        }
      }),
    );
  });

  test('the target of a reference is in an earlier stage, or before it in its chunk, or in a cycle with it', () => {
    fc.assert(
      fc.property(batches, sizes, (items, size) => {
        const places = placesOf(planStages(items, size));
        const together = inOneCycle(items);
        for (const from of items) {
          for (const to of items) {
            if (to.key === null || !from.references.includes(to.key) || together(from.key, to.key)) continue;
            const [source, target] = [places.get(from.index), places.get(to.index)];
            if (source === undefined || target === undefined) throw new Error('not planned');
            if (target.stage === source.stage) {
              expect(target.chunk).toBe(source.chunk);
              expect(target.position).toBeLessThan(source.position);
            } else expect(target.stage).toBeLessThan(source.stage);
          }
        }
      }),
    );
  });

  test('a chunk is larger than the size only if it is one key or one cycle, and neither stage nor chunk is empty', () => {
    fc.assert(
      fc.property(batches, sizes, (items, size) => {
        const together = inOneCycle(items);
        for (const stage of planStages(items, size)) {
          expect(stage.length).toBeGreaterThan(0);
          for (const chunk of stage) {
            expect(chunk.length).toBeGreaterThan(0);
            if (chunk.length <= size) continue;
            const keys = chunk.map((index) => items[index]?.key ?? null);
            expect(keys.every((key) => together(key, keys[0] ?? null))).toBe(true);
          }
        }
      }),
    );
  });

  test('two consecutive chunks of a stage would not fit into one', () => {
    fc.assert(
      fc.property(batches, sizes, (items, size) => {
        for (const stage of planStages(items, size)) {
          for (const [at, chunk] of stage.entries()) {
            if (at > 0) expect(chunk.length + (stage[at - 1]?.length ?? 0)).toBeGreaterThan(size);
          }
        }
      }),
    );
  });

  test('without references in the batch, chunks follow the index in one stage', () => {
    const items = [0, 1, 2, 3, 4, 5, 6].map((index) => item(index, index === 3 ? null : `k${index}`, 'elsewhere'));
    expect(planStages(items, 3)).toEqual([[[0, 1, 2], [3, 4, 5], [6]]]);
    expect(planStages([], 3)).toEqual([]);
  });

  test('indexes need neither start at 0 nor be in order', () => {
    expect(planStages([item(12, 'c'), item(7, 'b'), item(9, 'a', 'c')], 2)).toEqual([[[7], [12, 9]]]);
  });

  test('self-references and references of an item to its own key do not split it', () => {
    expect(planStages([item(0, 'a', 'a'), item(1, 'b'), item(2, 'a', 'a')], 10)).toEqual([[[0, 2, 1]]]);
  });

  test('a chain of 1000 in chunks of 50 is 20 stages of one chunk, the end of the chain first', () => {
    const stages = planStages(chain(1000), 50);
    expect(stages.map((stage) => stage.map((chunk) => chunk.length))).toEqual(Array.from({ length: 20 }, () => [50]));
    expect(stages.flat(2)).toEqual(Array.from({ length: 1000 }, (_, at) => 999 - at));
  });

  test('two chains are planned side by side', () => {
    const items = Array.from({ length: 200 }, (_, index) => item(index, `k${index}`, `k${index + 2}`));
    expect(planStages(items, 50).map((stage) => stage.map((chunk) => chunk.length))).toEqual([
      [50, 50],
      [50, 50],
    ]);
  });

  test('many items that refer to one are in the stage after it, side by side', () => {
    const items = [item(0, 'root'), ...Array.from({ length: 100 }, (_, at) => item(at + 1, `leaf${at}`, 'root'))];
    const stages = planStages(items, 25);
    expect(stages.map((stage) => stage.length)).toEqual([1, 4]);
    expect(stages[1]?.[0]?.slice(0, 3)).toEqual([1, 2, 3]);
  });

  test('a narrow level above a wide one does not share a chunk with it', () => {
    const leaves = [1, 2, 3, 4].map((index) => item(index, `k${index}`, 'root'));
    const items = [item(0, 'root'), ...leaves, item(5, 'top', 'k1', 'k4')];
    expect(planStages(items, 3)).toEqual([[[0]], [[1, 2, 3], [4]], [[5]]]);
  });

  test('items of equal depth keep the order of the batch', () => {
    const leaves = [3, 1, 4, 2].map((index) => item(index, `k${index}`, 'root'));
    expect(planStages([...leaves, item(0, 'root')], 10)).toEqual([[[0, 1, 2, 3, 4]]]);
  });

  test('a cycle larger than the size is one chunk', () => {
    const ring = Array.from({ length: 30 }, (_, index) => item(index, `k${index}`, `k${(index + 1) % 30}`));
    const [first, ...rest] = planStages([...ring, item(30, 'alone')], 10);
    expect(first?.map((chunk) => chunk.length)).toEqual([30, 1]);
    expect(rest).toEqual([]);
  });

  test('a chain of 100,000 is planned in seconds', () => {
    expect(cpuMs(() => expect(planStages(chain(100_000), 100).length).toBe(1000))).toBeLessThan(5000);
  });
});

describe('resources per activity', () => {
  test('a full batch is four activities, each of whole pages of outcomes', () => {
    expect(MAX_RESOURCES_PER_BATCH / resourcesPerActivity()).toBe(4);
    expect(resourcesPerActivity() % BODIES_PER_PAGE).toBe(0);
  });

  const chunksOf = (lookups: readonly number[], size = 1000): number[][] =>
    planStages(
      lookups.map((each, index) => ({ index, key: `${index}`, references: [], lookups: each })),
      size,
    ).flat();

  test('one activity applies fewer if they refer to thousands, but at least one', () => {
    const sizes = (count: number, each: number) => chunksOf(Array(count).fill(each)).map((chunk) => chunk.length);
    expect(sizes(1000, 5)).toEqual([1000]);
    expect(sizes(1000, 20)).toEqual([250, 250, 250, 250]);
    expect(sizes(3, 10_000)).toEqual([1, 1, 1]);
  });

  test('an item with thousands of references does not reduce the chunks of items with few, and does not share an activity with them', () => {
    const lookups = [...Array(500).fill(1), 10_000, ...Array(500).fill(1), 4_000, ...Array(400).fill(1)];
    const sums = chunksOf(lookups).map((chunk) => chunk.reduce((sum, index) => sum + (lookups[index] ?? 0), 0));
    expect(sums).toEqual([500, 10_000, 500, 4_200, 200]);
  });

  test('one activity applies only a few resources that are large as stored', () => {
    const items = Array.from({ length: 1000 }, (_, index) => ({
      index,
      key: `${index}`,
      references: [],
      ...(index < 10 && { bytes: 14 * 1024 * 1024 }),
    }));
    const sizes = planStages(items, 1000)
      .flat()
      .map((chunk) => chunk.length);
    expect(sizes).toEqual([2, 2, 2, 2, 127, 865]);
  });

  test('a configured number wins', () => {
    expect(resourcesPerActivity(500)).toBe(500);
    expect(chunksOf(Array(4).fill(3), 1)).toEqual([[0], [1], [2], [3]]);
  });
});
