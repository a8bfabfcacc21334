import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stronglyConnectedComponents } from '../../../domain/collections/components.ts';

type Graph = ReadonlyMap<string, readonly string[]>;

/** Up to 12 nodes, each with edges to nodes, itself and keys outside of the graph. */
const graphs: fc.Arbitrary<Graph> = fc
  .array(fc.array(fc.nat(14), { maxLength: 4 }), { maxLength: 12 })
  .map((edges) => new Map(edges.map((targets, node) => [`n${node}`, targets.map((target) => `n${target}`)])));

const componentsOf = (graph: Graph): string[][] =>
  stronglyConnectedComponents(graph.keys(), (node) => graph.get(node) ?? []);

/** Naive: walks from `start` over nodes of the graph only; `start` counts as reached. */
function reachableFrom(graph: Graph, start: string): Set<string> {
  const reached = new Set([start]);
  for (const node of reached) for (const target of graph.get(node) ?? []) if (graph.has(target)) reached.add(target);
  return reached;
}

describe('strongly connected components', () => {
  test('two nodes share a component exactly when each reaches the other, and every node is in one', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const components = componentsOf(graph);
        expect(components.flat().sort()).toEqual([...graph.keys()].sort());
        const componentOf = new Map(components.flatMap((members) => members.map((node) => [node, members] as const)));
        for (const a of graph.keys()) {
          for (const b of graph.keys()) {
            const mutual = reachableFrom(graph, a).has(b) && reachableFrom(graph, b).has(a);
            expect(componentOf.get(a) === componentOf.get(b)).toBe(mutual);
          }
        }
      }),
    );
  });

  test('a component comes after everything that it has edges to', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const place = new Map(componentsOf(graph).flatMap((members, at) => members.map((node) => [node, at] as const)));
        for (const [node, targets] of graph) {
          for (const target of targets) {
            if (graph.has(target)) expect(place.get(target)).toBeLessThanOrEqual(place.get(node) ?? -1);
          }
        }
      }),
    );
  });

  test('repeated nodes count once and keys outside of the graph are left out', () => {
    expect(stronglyConnectedComponents(['a', 'a'], () => ['a', 'stranger'])).toEqual([['a']]);
    expect(stronglyConnectedComponents([], () => ['a'])).toEqual([]);
  });

  // a recursive search overflows the stack at some 10,000
  test('a chain and a ring of 200,000 nodes do not overflow the stack', () => {
    const length = 200_000;
    const nodes = Array.from({ length }, (_, node) => String(node));
    const chain = stronglyConnectedComponents(nodes, (node) => [String(Number(node) + 1)]);
    expect(chain.length).toBe(length);
    expect(chain[0]).toEqual([String(length - 1)]);
    const ring = stronglyConnectedComponents(nodes, (node) => [String((Number(node) + 1) % length)]);
    expect(ring.map((members) => members.length)).toEqual([length]);
  }, 60_000);
});
