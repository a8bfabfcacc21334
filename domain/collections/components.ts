import { numberedComponents } from './numbered-components.ts';
import { atOnce } from './run-yielding.ts';

/**
 * Strongly connected components, in dependency order: a component comes after every component that it has edges to. A node
 * without a cycle is a component of one. Linear in nodes and edges, and without recursion: depth costs memory, not stack.
 * @param nodes repeats count once.
 * @param edgesOf called once for each node; edges to anything outside `nodes` are ignored.
 * @returns each node in exactly one component; the order inside a component has no meaning.
 */
export function stronglyConnectedComponents<T>(nodes: Iterable<T>, edgesOf: (node: T) => Iterable<T>): T[][] {
  const names = [...new Set(nodes)];
  const numbers = new Map(names.map((name, number) => [name, number]));
  const first = new Uint32Array(names.length + 1);
  const edges: number[] = [];
  for (const [number, name] of names.entries()) {
    for (const target of edgesOf(name)) {
      const to = numbers.get(target);
      if (to !== undefined) edges.push(to);
    }
    first[number + 1] = edges.length;
  }
  if (edges.length === 0) return names.map((name) => [name]);
  const { count, starts, members } = atOnce(numberedComponents(first, Uint32Array.from(edges)));
  return Array.from({ length: count }, (_, component) =>
    Array.from(members.subarray(starts[component], starts[component + 1]), (number) => names[number] as T),
  );
}
