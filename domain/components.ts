interface Visit {
  readonly node: string;
  /** When it was first seen, from 0. */
  readonly order: number;
  /** The earliest visit that it is known to reach among those whose component is still open. */
  low: number;
  open: boolean;
}

interface Frame {
  readonly visit: Visit;
  readonly edges: Iterator<string>;
}

/**
 * Strongly connected components (Tarjan), in dependency order: a component comes after every component that it has edges to.
 * A node without a cycle is a component of one. Linear in nodes and edges, and without recursion: depth costs memory, not stack.
 * @param nodes repeats count once.
 * @param edgesOf asked once for each node; edges to anything outside `nodes` are ignored.
 * @returns each node in exactly one component; the order inside a component means nothing.
 */
export function stronglyConnectedComponents(
  nodes: Iterable<string>,
  edgesOf: (node: string) => Iterable<string>,
): string[][] {
  const search = new Search(nodes, edgesOf);
  return search.run();
}

class Search {
  /** Every node; `undefined` until it is visited. */
  readonly #visits = new Map<string, Visit | undefined>();
  readonly #edgesOf: (node: string) => Iterable<string>;
  /** The path that is being walked: what recursion would keep on the call stack. */
  readonly #path: Frame[] = [];
  /** Visited nodes whose component is not complete. */
  readonly #open: Visit[] = [];
  readonly #components: string[][] = [];
  #visited = 0;

  constructor(nodes: Iterable<string>, edgesOf: (node: string) => Iterable<string>) {
    for (const node of nodes) this.#visits.set(node, undefined);
    this.#edgesOf = edgesOf;
  }

  run(): string[][] {
    for (const [root, visit] of this.#visits) {
      if (visit !== undefined) continue;
      this.#enter(root);
      for (let frame = this.#path.at(-1); frame !== undefined; frame = this.#path.at(-1)) this.#step(frame);
    }
    return this.#components;
  }

  #enter(node: string): void {
    const visit: Visit = { node, order: this.#visited, low: this.#visited, open: true };
    this.#visited += 1;
    this.#visits.set(node, visit);
    this.#open.push(visit);
    this.#path.push({ visit, edges: this.#edgesOf(node)[Symbol.iterator]() });
  }

  /** Follows edges of the last node on the path until one leads to a node not yet visited, or none is left. */
  #step({ visit, edges }: Frame): void {
    for (let edge = edges.next(); edge.done !== true; edge = edges.next()) {
      const target = this.#visits.get(edge.value);
      if (target?.open) visit.low = Math.min(visit.low, target.order);
      else if (target === undefined && this.#visits.has(edge.value)) {
        this.#enter(edge.value);
        return;
      }
    }
    this.#leave(visit);
  }

  #leave(visit: Visit): void {
    this.#path.pop();
    const parent = this.#path.at(-1)?.visit;
    if (parent !== undefined) parent.low = Math.min(parent.low, visit.low);
    if (visit.low === visit.order) this.#close(visit);
  }

  /** What was opened since the root of a component, and is still open, is the component. */
  #close(root: Visit): void {
    const component: string[] = [];
    for (let member = this.#open.pop(); member !== undefined; member = this.#open.pop()) {
      member.open = false;
      component.push(member.node);
      if (member === root) break;
    }
    this.#components.push(component);
  }
}
