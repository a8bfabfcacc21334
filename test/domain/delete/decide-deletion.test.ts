import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DeletionGraph, decideDeletion } from '../../../domain/delete/decide-deletion.ts';
import { MAX_NAMED_REFERRERS } from '../../../domain/limits.ts';
import { cpuMs } from '../../../testkit/measure.ts';

/** Up to 14 resources with arrays of references (repeats, self-references, cycles, missing targets), some of them targets. */
const graphs: fc.Arbitrary<DeletionGraph> = fc
  .array(fc.record({ references: fc.array(fc.nat(15), { maxLength: 3 }), target: fc.boolean() }), { maxLength: 14 })
  .map((resources) => ({
    targets: resources.flatMap(({ target }, at) => (target ? [`r${at}`] : [])),
    references: new Map(resources.map(({ references }, at) => [`r${at}`, references.map((to) => `r${to}`)])),
  }));

const shuffled = (graph: DeletionGraph): fc.Arbitrary<DeletionGraph> =>
  fc
    .tuple(
      fc.shuffledSubarray([...graph.targets], { minLength: graph.targets.length }),
      fc.shuffledSubarray([...graph.references], { minLength: graph.references.size }),
    )
    .map(([targets, references]) => ({
      targets,
      references: new Map(references.map(([key, to]) => [key, to.toReversed()])),
    }));

/** The members of `among` that refer to `key`, except `key` itself. */
function referrersOf(key: string, { references }: DeletionGraph, among: (key: string) => boolean): string[] {
  return [...references].flatMap(([from, to]) => (from !== key && to.includes(key) && among(from) ? [from] : []));
}

/** Naive: removes, one after the other, targets that something outside refers to, until nothing changes. */
function naiveDeletion(graph: DeletionGraph): Set<string> {
  const deleted = new Set(graph.targets);
  for (;;) {
    const kept = [...deleted].find((key) => referrersOf(key, graph, (from) => !deleted.has(from)).length > 0);
    if (kept === undefined) return deleted;
    deleted.delete(kept);
  }
}

/** Naive: adds, one after the other, resources that refer to a member, until nothing changes. */
function naiveCascade(graph: DeletionGraph): Set<string> {
  const deleted = new Set(graph.targets);
  for (;;) {
    const next = [...graph.references].find(([from, to]) => !deleted.has(from) && to.some((key) => deleted.has(key)));
    if (next === undefined) return deleted;
    deleted.add(next[0]);
  }
}

const sorted = (keys: Iterable<string>): string[] => [...keys].sort();
const graphOf = (targets: string[], references: Record<string, string[]>): DeletionGraph => ({
  targets,
  references: new Map(Object.entries(references)),
});

describe('decision of a delete', () => {
  test('without cascade, the largest set of targets is deleted to which nothing outside refers', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { stages, kept, cascaded } = decideDeletion(graph, false);
        const expected = naiveDeletion(graph);
        expect(sorted(stages.flat(2))).toEqual(sorted(expected));
        expect([...kept.keys()]).toEqual(sorted(graph.targets.filter((key) => !expected.has(key))));
        expect(cascaded).toBe(0);
      }),
    );
  });

  test('with cascade, the targets and everything that refers to them are deleted, and nothing is kept', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { stages, kept, cascaded } = decideDeletion(graph, true);
        const expected = naiveCascade(graph);
        expect(sorted(stages.flat(2))).toEqual(sorted(expected));
        expect(kept.size).toBe(0);
        expect(cascaded).toBe(expected.size - graph.targets.length);
      }),
    );
  });

  test('no survivor refers to a deleted resource, at any moment of deleting group by group', () => {
    fc.assert(
      fc.property(graphs, fc.boolean(), (graph, cascade) => {
        const gone = new Set<string>();
        for (const group of decideDeletion(graph, cascade).stages.flat()) {
          for (const key of group) gone.add(key);
          for (const key of gone) expect(referrersOf(key, graph, (from) => !gone.has(from))).toEqual([]);
        }
      }),
    );
  });

  test('groups of one stage do not refer to each other, a group of more than one is a cycle, and no stage is empty', () => {
    fc.assert(
      fc.property(graphs, fc.boolean(), (graph, cascade) => {
        for (const stage of decideDeletion(graph, cascade).stages) {
          expect(stage.length).toBeGreaterThan(0);
          for (const group of stage) {
            const others = new Set(stage.filter((other) => other !== group).flat());
            for (const key of group) {
              expect(referrersOf(key, graph, (from) => others.has(from))).toEqual([]);
              if (group.length > 1) expect(referrersOf(key, graph, (from) => group.includes(from))).not.toEqual([]);
            }
          }
        }
      }),
    );
  });

  test('a group is deleted right after the last of its referrers, so there are as few stages as possible', () => {
    fc.assert(
      fc.property(graphs, fc.boolean(), (graph, cascade) => {
        const { stages } = decideDeletion(graph, cascade);
        for (const [at, stage] of stages.entries()) {
          if (at === 0) continue;
          const before = new Set(stages[at - 1]?.flat());
          for (const group of stage) {
            expect(group.flatMap((key) => referrersOf(key, graph, (from) => before.has(from)))).not.toEqual([]);
          }
        }
      }),
    );
  });

  test('nothing survives without a reason: a chain of survivors leads from a resource that was not requested to every kept target', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { stages, kept } = decideDeletion(graph, false);
        const deleted = new Set(stages.flat(2));
        const reasons = new Set([...graph.references.keys()].filter((key) => !graph.targets.includes(key)));
        for (const from of reasons) for (const to of graph.references.get(from) ?? []) reasons.add(to);
        for (const [key, survivors] of kept) {
          expect(reasons).toContain(key);
          expect(survivors).toEqual(
            sorted(referrersOf(key, graph, (from) => !deleted.has(from))).slice(0, MAX_NAMED_REFERRERS),
          );
          expect(survivors).not.toEqual([]);
        }
      }),
    );
  });

  test('the order in which the graph is given changes nothing', () => {
    const pairs = graphs.chain((graph) => fc.tuple(fc.constant(graph), shuffled(graph)));
    fc.assert(
      fc.property(pairs, fc.boolean(), ([graph, other], cascade) => {
        const [decision, again] = [decideDeletion(graph, cascade), decideDeletion(other, cascade)];
        expect(again.stages).toEqual(decision.stages);
        expect([...again.kept]).toEqual([...decision.kept]);
        expect(again.cascaded).toBe(decision.cascaded);
      }),
    );
  });

  test('resources that are requested together are decided together', () => {
    expect(decideDeletion(graphOf(['a', 'b'], { a: [], b: ['a'] }), false).stages).toEqual([[['b']], [['a']]]);
  });

  test('the target of a surviving resource stays', () => {
    const { stages, kept } = decideDeletion(graphOf(['a', 'b'], { a: [], b: ['a'], outside: ['b'] }), false);
    expect(stages).toEqual([]);
    expect([...kept]).toEqual([
      ['a', ['b']],
      ['b', ['outside']],
    ]);
  });

  test('a self-reference keeps nothing, and is never named as a survivor', () => {
    expect(decideDeletion(graphOf(['a'], { a: ['a', 'a'] }), false).stages).toEqual([[['a']]]);
    const { kept } = decideDeletion(graphOf(['a'], { a: ['a'], outside: ['a', 'a'] }), false);
    expect([...kept]).toEqual([['a', ['outside']]]);
  });

  test('a cycle is deleted as one group, unless something outside refers to one of its members', () => {
    const cycle = { a: ['b'], b: ['a'] };
    expect(decideDeletion(graphOf(['a', 'b'], cycle), false).stages).toEqual([[['a', 'b']]]);
    expect(decideDeletion(graphOf(['a', 'b'], { ...cycle, outside: ['a'] }), false).stages).toEqual([]);
    expect(decideDeletion(graphOf(['a'], cycle), false).stages).toEqual([]);
    expect(decideDeletion(graphOf(['a'], cycle), true)).toMatchObject({ stages: [[['a', 'b']]], cascaded: 1 });
  });

  test('an id that is requested twice counts once', () => {
    expect(decideDeletion(graphOf(['a', 'a'], { a: [], b: ['a'] }), true)).toMatchObject({ cascaded: 1 });
  });

  test('a kept target names at most 10 survivors, the lowest ones', () => {
    const survivors = Array.from({ length: 30 }, (_, at) => `s${String(at).padStart(2, '0')}`);
    const graph = graphOf(['a'], Object.fromEntries(survivors.toReversed().map((key) => [key, ['a']])));
    expect(decideDeletion(graph, false).kept.get('a')).toEqual(survivors.slice(0, 10));
  });
});

describe('survivors that a kept target names', () => {
  test('each one once, itself left out', () => {
    const { kept } = decideDeletion(graphOf(['b'], { a: ['a', 'b', 'c', 'b'], b: ['b'], c: ['b'] }), false);
    expect([...kept]).toEqual([['b', ['a', 'c']]]);
  });
});

describe('a delete of 100,000 resources takes at most seconds', () => {
  const COUNT = 100_000;
  const keys = Array.from(
    { length: COUNT },
    (_, at) => `default/default/0197a1b2-0000-7000-8000-000000000000/resource-${at}`,
  );
  const build = (targets: number, to: (at: number) => number[]) => (): DeletionGraph => ({
    targets: keys.slice(0, targets),
    references: new Map(keys.map((key, at) => [key, to(at).map((target) => keys[target] ?? '')])),
  });
  const shapes: [string, () => DeletionGraph, boolean, number][] = [
    ['a chain, cascade from its end', build(1, (at) => (at === 0 ? [] : [at - 1])), true, COUNT],
    ['a chain, kept by its last referrer', build(COUNT - 1, (at) => (at === 0 ? [] : [at - 1])), false, 0],
    ['a ring', build(COUNT, (at) => [(at + 1) % COUNT]), false, COUNT],
    ['a star', build(1, (at) => (at === 0 ? [] : [0])), true, COUNT],
    ['a star, kept', build(1, (at) => (at === 0 ? [] : [0])), false, 0],
    ['three references each', build(COUNT, (at) => [at >> 1, at >> 2, (at * 7919) % (at + 1)]), false, COUNT],
  ];
  test.each(shapes)('%s', (_shape, made, cascade, expected) => {
    const graph = made();
    const took = cpuMs(() => expect(decideDeletion(graph, cascade).stages.flat(2).length).toBe(expected));
    expect(took).toBeLessThan(5000);
  });
});
