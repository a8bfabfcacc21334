import { type Computation, STEPS_PER_YIELD } from './run-yielding.ts';

/** Strongly connected components of numbered nodes, numbered so that a component comes after all components that it has edges to. */
export interface NumberedComponents {
  readonly count: number;
  /** Node -> its component. */
  readonly of: Uint32Array;
  /** Nodes, component after component: those of `c` from `starts[c]` up to, not including, `starts[c + 1]`. */
  readonly members: Uint32Array;
  readonly starts: Uint32Array;
}

const OPEN = 0xffff_ffff;

/**
 * Tarjan's algorithm. Linear, without recursion, and without allocating objects: depth and size cost 32 bytes a node.
 * @param edges those of `n` lead to `edges[first[n]]` up to, not including, `edges[first[n + 1]]`.
 */
export function* numberedComponents(first: Uint32Array, edges: Uint32Array): Computation<NumberedComponents> {
  const size = first.length - 1;
  const of = new Uint32Array(size).fill(OPEN);
  const members = new Uint32Array(size);
  const starts = new Uint32Array(size + 1);
  /** When each node was first seen, from 1 on; 0 before that. */
  const order = new Uint32Array(size);
  /** The earliest node that each is known to reach among those whose component is open. */
  const low = new Uint32Array(size);
  /** The position of its next edge to follow. */
  const next = first.slice(0, size);
  /** The state that recursion would keep on the call stack. */
  const path = new Uint32Array(size);
  const open = new Uint32Array(size);
  let [seen, onPath, opened, closed, count, steps] = [0, 0, 0, 0, 0, 0];
  const enter = (n: number): void => {
    seen += 1;
    order[n] = seen;
    low[n] = seen;
    path[onPath++] = n;
    open[opened++] = n;
  };
  const leave = (n: number): void => {
    onPath -= 1;
    if (onPath > 0) {
      const parent = path[onPath - 1] ?? 0;
      low[parent] = Math.min(low[parent] ?? 0, low[n] ?? 0);
    }
    if (low[n] !== order[n]) return;
    for (let member = -1; member !== n; ) {
      member = open[--opened] ?? 0;
      of[member] = count;
      members[closed++] = member;
    }
    count += 1;
    starts[count] = closed;
  };
  for (let root = 0; root < size; root++) {
    if (order[root] === 0) enter(root);
    while (onPath > 0) {
      steps += 1;
      if (steps % STEPS_PER_YIELD === 0) yield;
      const n = path[onPath - 1] ?? 0;
      const at = next[n] ?? 0;
      if (at === first[n + 1]) {
        leave(n);
        continue;
      }
      next[n] = at + 1;
      const target = edges[at] ?? 0;
      if (order[target] === 0) enter(target);
      else if (of[target] === OPEN) low[n] = Math.min(low[n] ?? 0, order[target] ?? 0);
    }
    steps += 1;
    if (steps % STEPS_PER_YIELD === 0) yield;
  }
  return { count, of, members, starts: starts.subarray(0, count + 1) };
}
