import type { SchemaDefinition } from '@drover/client';

/** A schema definition in the picture, in pixels from the top left. */
interface Node {
  readonly name: string;
  readonly isDefined: boolean;
  readonly x: number;
  readonly y: number;
}

interface Edge {
  readonly from: Node;
  readonly to: Node;
  /** Where it passes below the nodes between the two; null if there are none. */
  readonly below: number | null;
}

export interface SchemaLayout {
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
  readonly width: number;
  readonly height: number;
}

/** Size of a node, and the space between them, in pixels. */
export const NODE = { width: 168, height: 44 };
const GAP = { x: 88, y: 20 };
const MARGIN = 24;

/** References by name, in lower case: a name is matched without regard to case, and may be an id or plural name. */
function referencesOf(definitions: readonly SchemaDefinition[]): Map<string, string[]> {
  const names = new Map<string, string>();
  for (const { id, name, pluralName } of definitions)
    for (const known of [id, name, pluralName]) if (known !== undefined) names.set(known.toLowerCase(), name);
  return new Map(
    definitions.map(({ name, referenceSchemas }) => [
      name,
      [...new Set(referenceSchemas.map((known) => names.get(known.toLowerCase()) ?? known))],
    ]),
  );
}

/** From left to right: what refers, what it refers to. A cycle is cut where it is entered. */
function columnsOf(references: ReadonlyMap<string, readonly string[]>): Map<string, number> {
  const columns = new Map<string, number>();
  const place = (name: string, column: number, path: ReadonlySet<string>): void => {
    if (path.has(name) || (columns.get(name) ?? -1) >= column) return;
    columns.set(name, column);
    const next = new Set(path).add(name);
    for (const target of references.get(name) ?? []) if (target !== name) place(target, column + 1, next);
  };
  const targets = new Set([...references].flatMap(([name, to]) => to.filter((target) => target !== name)));
  for (const name of references.keys()) if (!targets.has(name)) place(name, 0, new Set());
  // what is left is referred to within cycles only
  for (const name of references.keys()) if (!columns.has(name)) place(name, 0, new Set());
  return columns;
}

export function schemaLayout(definitions: readonly SchemaDefinition[]): SchemaLayout {
  const references = referencesOf(definitions);
  const columns = columnsOf(references);
  const rows = new Map<number, number>();
  const nodes = new Map<string, Node>();
  for (const [name, column] of columns) {
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    const [x, y] = [MARGIN + column * (NODE.width + GAP.x), MARGIN + row * (NODE.height + GAP.y)];
    nodes.set(name, { name, isDefined: references.has(name), x, y });
  }
  const all = [...nodes.values()];
  const edges = edgesOf(references, nodes);
  return {
    nodes: all,
    edges,
    width: Math.max(0, ...all.map(({ x }) => x + NODE.width)) + MARGIN,
    height: Math.max(0, ...all.map(({ y }) => y + NODE.height), ...edges.map(({ below }) => below ?? 0)) + MARGIN,
  };
}

/** Space between edges that pass below the same nodes, in pixels. */
const LANE = 12;

function edgesOf(references: ReadonlyMap<string, readonly string[]>, nodes: ReadonlyMap<string, Node>): Edge[] {
  let lanes = 0;
  return [...references].flatMap(([name, targets]) =>
    targets.flatMap((target): Edge[] => {
      const [from, to] = [nodes.get(name), nodes.get(target)];
      if (!from || !to) return [];
      const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
      const between = [...nodes.values()].filter(({ x }) => x > left && x < right);
      if (between.length === 0) return [{ from, to, below: null }];
      lanes += 1;
      return [{ from, to, below: Math.max(...between.map(({ y }) => y + NODE.height)) + LANE * lanes }];
    }),
  );
}
