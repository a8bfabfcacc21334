import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { atOnce } from '../../../domain/collections/run-yielding.ts';
import { cascadeReasons, reasonsOf } from '../../../domain/delete/cascade-reasons.ts';
import {
  type DeletionGraph,
  decideDeletion,
  isDeleted,
  numberedDecision,
} from '../../../domain/delete/decide-deletion.ts';
import { LinkedResources } from '../../../domain/delete/linked-resources.ts';
import { type DeletionLayout, keysPerStep, layOutDeletion } from '../../../domain/delete/step-layout.ts';
import { cpuMs } from '../../../testkit/measure.ts';

/** Up to 20 resources, few references, most of them targets. */
const graphs: fc.Arbitrary<DeletionGraph> = fc
  .array(fc.record({ references: fc.array(fc.nat(20), { maxLength: 2 }), target: fc.boolean() }), { maxLength: 20 })
  .map((resources) => ({
    targets: resources.flatMap(({ target }, at) => (target ? [`r${at}`] : [])),
    references: new Map(
      resources.map(({ references }, at) => [
        `r${at}`,
        references.filter((to) => to < resources.length).map((to) => `r${to}`),
      ]),
    ),
  }));

/** Numbers resources in the order of their references. */
function numbered({ targets, references }: DeletionGraph) {
  const linked = new LinkedResources();
  for (const key of references.keys()) linked.keys.add(key);
  for (const [from, keys] of references)
    for (const to of keys) linked.addReference(linked.keys.add(from), linked.keys.add(to));
  const isTarget = new Uint8Array(linked.size);
  for (const key of targets) isTarget[linked.keys.find(key)] = 1;
  return { linked, isTarget };
}

const inOrder = (size: number): Uint32Array => new Uint32Array(size).map((_, n) => n);

/** The keys of each step, by stage. */
const named = ({ keys }: LinkedResources, { order, stages }: DeletionLayout): string[][][] =>
  stages.map((steps) =>
    steps.map(({ from, to }) => Array.from(order.subarray(from, to), (number) => keys.key(number))),
  );

function laidOut(graph: DeletionGraph, cascade: boolean, size: number): string[][][] {
  const { linked, isTarget } = numbered(graph);
  const decision = atOnce(numberedDecision(linked, isTarget, cascade));
  return named(linked, atOnce(layOutDeletion(decision, inOrder(linked.size), size)));
}

describe('steps of a delete', () => {
  test('each key is in one step; a referrer is deleted earlier than its target, or with it', () => {
    fc.assert(
      fc.property(graphs, fc.boolean(), fc.integer({ min: 1, max: 8 }), (graph, cascade, size) => {
        const { stages } = decideDeletion(graph, cascade);
        const layout = laidOut(graph, cascade, size);
        expect(layout.flat(2).sort()).toEqual(stages.flat(2).sort());
        const gone = new Set<string>();
        for (const stage of layout) {
          const together = stage.map((step) => new Set(step));
          for (const step of together) {
            for (const [from, to] of graph.references) {
              if (step.has(from) || gone.has(from)) continue;
              expect(to.filter((key) => step.has(key))).toEqual([]);
            }
          }
          for (const step of together) for (const key of step) gone.add(key);
        }
      }),
    );
  });

  test('a step is larger than requested only for one cycle, and a cycle is never divided', () => {
    fc.assert(
      fc.property(graphs, fc.integer({ min: 1, max: 8 }), (graph, size) => {
        const groups = decideDeletion(graph, true).stages.flat();
        for (const step of laidOut(graph, true, size).flat()) {
          const within = groups.filter((group) => step.includes(group[0] ?? ''));
          expect(within.flat().sort()).toEqual([...step].sort());
          if (within.length > 1) expect(step.length).toBeLessThanOrEqual(size);
        }
      }),
    );
  });

  test('there are as few steps as possible: no step of a stage would fit into the one before', () => {
    fc.assert(
      fc.property(graphs, fc.integer({ min: 1, max: 8 }), (graph, size) => {
        const groups = new Map(
          decideDeletion(graph, true).stages.flatMap((stage) => stage.map((one) => [one[0], one])),
        );
        for (const stage of laidOut(graph, true, size)) {
          for (const [at, step] of stage.entries()) {
            if (at === 0) continue;
            const firstGroup = [...groups.values()].find((group) => group.includes(step[0] ?? '')) ?? [];
            expect((stage[at - 1]?.length ?? 0) + firstGroup.length).toBeGreaterThan(size);
          }
        }
      }),
    );
  });

  test('within a stage, resources are in the requested order', () => {
    const graph = {
      targets: ['r0', 'r1', 'r2', 'r3'],
      references: new Map([
        ['r0', []],
        ['r1', []],
        ['r2', ['r0']],
        ['r3', []],
      ]),
    };
    const { linked, isTarget } = numbered(graph);
    const decision = atOnce(numberedDecision(linked, isTarget, false));
    const layout = atOnce(layOutDeletion(decision, Uint32Array.of(3, 2, 1, 0), 3));
    expect(named(linked, layout)).toEqual([[['r3', 'r2', 'r1']], [['r0']]]);
  });

  test('a chain of 100,000 takes 50 steps, and 100,000 that are independent one stage', () => {
    const size = keysPerStep(100_000);
    const keys = Array.from({ length: 100_000 }, (_, at) => `r${at}`);
    const chain = new Map(keys.map((key, at) => [key, at > 0 ? [`r${at - 1}`] : []]));
    expect(laidOut({ targets: keys, references: chain }, false, size).map((steps) => steps.length)).toEqual(
      Array.from({ length: 50 }, () => 1),
    );
    const independent = new Map(keys.map((key) => [key, []]));
    expect(laidOut({ targets: keys, references: independent }, false, size).map((steps) => steps.length)).toEqual([50]);
  });

  test('small deletes take one step, large ones steps of at most 2000 keys', () => {
    expect([1, 50, 4000, 1_000_000].map(keysPerStep)).toEqual([50, 50, 100, 2000]);
  });
});

describe('reasons of resources that only the cascade deletes', () => {
  test('are the deleted resources that it refers to, at least one; requested resources need none', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { linked, isTarget } = numbered(graph);
        const decision = atOnce(numberedDecision(linked, isTarget, true));
        const reasons = atOnce(cascadeReasons(decision, isTarget));
        for (let n = 0; n < linked.size; n++) {
          const named = [...reasonsOf(reasons, n)];
          expect(named.length > 0).toBe(isDeleted(decision, n) && isTarget[n] === 0);
          for (const reason of named) {
            expect(graph.references.get(linked.keys.key(n))).toContain(linked.keys.key(reason));
            expect(isDeleted(decision, reason)).toBe(true);
          }
        }
      }),
    );
  });
});

describe('a million resources', () => {
  const COUNT = 1_000_000;
  const shapes: [string, (n: number) => number[]][] = [
    ['a chain', (n) => (n === 0 ? [] : [n - 1])],
    ['a ring', (n) => [(n + 1) % COUNT]],
    ['a star', (n) => (n === 0 ? [] : [0])],
    ['two references each', (n) => (n === 0 ? [] : [n >> 1, (n * 7919) % n])],
  ];
  test.each(shapes)(
    '%s: decided and laid out in seconds, in slices, with less than 100 bytes for each',
    (_shape, to) => {
      let bytes = 0;
      let most = 0;
      const linked = new LinkedResources((more) => {
        bytes += more;
        most = Math.max(most, bytes);
      });
      for (let n = 0; n < COUNT; n++)
        linked.keys.add(`default/default/0197a1b2-0000-7000-8000-000000000000/thing-${n}`);
      for (let n = 0; n < COUNT; n++) for (const target of to(n)) linked.addReference(n, target);
      const targets = new Uint8Array(COUNT).fill(1);
      let slices = 0;
      const took = cpuMs(() => {
        const deciding = numberedDecision(linked, targets, false);
        let step = deciding.next();
        for (; !step.done; step = deciding.next()) slices += 1;
        const { order } = atOnce(layOutDeletion(step.value, inOrder(COUNT), keysPerStep(COUNT)));
        expect(order).toHaveLength(COUNT);
      });
      expect(took).toBeLessThan(10_000);
      expect(slices).toBeGreaterThan(100);
      expect(most / COUNT).toBeLessThan(100);
    },
  );
});
