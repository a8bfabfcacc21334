import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DeletionGraph, decideDeletion } from '../../domain/decide-deletion.ts';
import { decideLargeDeletion, keysPerStep, layOutDeletion } from '../../domain/deletion-layout.ts';
import { cpuMs } from '../cpu-time.ts';

/** Up to 20 resources, few references, most of them targets. */
const graphs: fc.Arbitrary<DeletionGraph> = fc
  .array(fc.record({ references: fc.array(fc.nat(20), { maxLength: 2 }), target: fc.boolean() }), { maxLength: 20 })
  .map((resources) => ({
    targets: resources.flatMap(({ target }, at) => (target ? [`r${at}`] : [])),
    references: new Map(resources.map(({ references }, at) => [`r${at}`, references.map((to) => `r${to}`)])),
  }));

describe('steps of a delete', () => {
  test('each key stands in one step; what refers goes earlier than what it refers to, or with it', () => {
    fc.assert(
      fc.property(graphs, fc.boolean(), fc.integer({ min: 1, max: 8 }), (graph, cascade, size) => {
        const { stages } = decideDeletion(graph, cascade);
        const laidOut = layOutDeletion(stages, size);
        expect(laidOut.flat(2).sort()).toEqual(stages.flat(2).sort());
        const gone = new Set<string>();
        for (const stage of laidOut) {
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

  test('a step is larger than asked for only where one cycle is, and a cycle is never divided', () => {
    fc.assert(
      fc.property(graphs, fc.integer({ min: 1, max: 8 }), (graph, size) => {
        const { stages } = decideDeletion(graph, true);
        const steps = layOutDeletion(stages, size).flat();
        const groups = stages.flat();
        for (const step of steps) {
          const within = groups.filter((group) => step.includes(group[0] ?? ''));
          expect(within.flat().sort()).toEqual([...step].sort());
          if (within.length > 1) expect(step.length).toBeLessThanOrEqual(size);
        }
      }),
    );
  });

  test('a chain of 100,000 takes 50 steps, and 100,000 that are independent one stage', () => {
    const size = keysPerStep(100_000);
    const chain = Array.from({ length: 100_000 }, (_, at) => [[`r${at}`]]);
    expect(layOutDeletion(chain, size).map((steps) => steps.length)).toEqual(Array.from({ length: 50 }, () => 1));
    expect(layOutDeletion([chain.flat()], size).map((steps) => steps.length)).toEqual([50]);
  });

  test('small deletes take one step, large ones steps of at most 2000 keys', () => {
    expect([1, 50, 4000, 1_000_000].map(keysPerStep)).toEqual([50, 50, 100, 2000]);
  });
});

describe('decision of a large delete', () => {
  test('deletes, keeps and counts what the plain decision does', () => {
    fc.assert(
      fc.property(graphs, fc.boolean(), (graph, cascade) => {
        const plain = decideDeletion(graph, cascade);
        const large = decideLargeDeletion(graph, cascade);
        expect(large.stages.map((stage) => [...stage].sort())).toEqual(plain.stages.map((stage) => [...stage].sort()));
        expect([...large.kept]).toEqual([...plain.kept]);
        expect(large.cascaded).toBe(plain.cascaded);
      }),
    );
  });

  test('a million resources that refer to nobody asked for are decided in seconds', () => {
    const targets = Array.from({ length: 1_000_000 }, (_, at) => `default/default/schema/${at}`);
    const graph = { targets, references: new Map(targets.map((key) => [key, []])) };
    const took = cpuMs(() => {
      const decision = decideLargeDeletion(graph, false);
      expect(layOutDeletion(decision.stages, keysPerStep(targets.length)).flat()).toHaveLength(500);
    });
    expect(took).toBeLessThan(10_000);
  });
});
