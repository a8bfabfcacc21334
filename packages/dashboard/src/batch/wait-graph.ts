import type { Batch } from '@drover/client';

type Pending = NonNullable<Batch['pendingResources']>[number];

/** A resource that is missing, and how many items it holds up. */
interface Missing {
  readonly key: string;
  readonly schemaName: string;
  readonly externalId: string;
  readonly holdsUp: number;
}

/** From a missing resource to an item; `to` is null for the items that are not shown one by one. */
interface Line {
  readonly from: number;
  readonly to: number | null;
  readonly items: number;
}

export interface WaitGraph {
  /** Those that hold up most first, as many as are shown. */
  readonly missing: readonly Missing[];
  readonly missingTotal: number;
  /** Some that wait for each of these. */
  readonly items: readonly Pending[];
  readonly lines: readonly Line[];
}

const MOST_MISSING = 8;
const MOST_ITEMS = 10;

/** What waits for what, cut to what a person can take in: the missing resources that hold up most, and items that wait for them. */
export function waitGraph(pending: readonly Pending[]): WaitGraph {
  const all = missingOf(pending);
  const missing = all.slice(0, MOST_MISSING);
  const place = new Map(missing.map(({ key }, at) => [key, at]));
  const keysOf = ({ missingDependencies }: Pending): number[] =>
    missingDependencies.flatMap(({ schemaName, externalId }) => place.get(keyOf(schemaName, externalId)) ?? []);
  const items = someOfEach(missing.length, pending, keysOf);
  const lines: Line[] = items.flatMap((item, to) => keysOf(item).map((from) => ({ from, to, items: 1 })));
  for (const from of missing.keys()) {
    const shown = lines.filter((line) => line.from === from).length;
    const others = (missing[from]?.holdsUp ?? 0) - shown;
    if (others > 0) lines.push({ from, to: null, items: others });
  }
  return { missing, missingTotal: all.length, items, lines };
}

/** Items of each missing resource in turn, those whose deadline is next first; in the order of what they wait for, so that lines cross little. */
function someOfEach(count: number, pending: readonly Pending[], keysOf: (item: Pending) => number[]): Pending[] {
  const byDeadline = [...pending].sort((a, b) => a.expiresAt.localeCompare(b.expiresAt));
  const waitingFor = Array.from({ length: count }, (_, at) => byDeadline.filter((item) => keysOf(item).includes(at)));
  const chosen = new Set<Pending>();
  for (let round = 0; round < MOST_ITEMS && chosen.size < MOST_ITEMS; round++) {
    for (const items of waitingFor) {
      const item = items[round];
      if (item !== undefined && chosen.size < MOST_ITEMS) chosen.add(item);
    }
  }
  return [...chosen].sort((a, b) => Math.min(...keysOf(a)) - Math.min(...keysOf(b)));
}

const keyOf = (schemaName: string, externalId: string): string => JSON.stringify([schemaName, externalId]);

function missingOf(pending: readonly Pending[]): Missing[] {
  const found = new Map<string, Missing>();
  for (const { missingDependencies } of pending) {
    for (const { schemaName, externalId } of missingDependencies) {
      const key = keyOf(schemaName, externalId);
      const holdsUp = (found.get(key)?.holdsUp ?? 0) + 1;
      found.set(key, { key, schemaName, externalId, holdsUp });
    }
  }
  return [...found.values()].sort((a, b) => b.holdsUp - a.holdsUp || a.key.localeCompare(b.key));
}
