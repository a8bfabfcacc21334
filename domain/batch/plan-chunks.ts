import { appendTo } from '../collections/append-to.ts';
import { stronglyConnectedComponents } from '../collections/components.ts';

/** The properties of an item that determine its place in the plan. */
export interface PlannedItem {
  /** Its place in the batch; unique. */
  readonly index: number;
  /** Its identity; null if it has none (such an item fails by itself), or if no plan may depend on it. */
  readonly key: string | null;
  /** Keys that it refers to, if its place depends on them. */
  readonly references: readonly string[];
  /** The number of all its references, each of which is looked up when it is applied. */
  readonly lookups?: number;
  /** Bytes that applying it holds in memory, if these are many: those of its resource as stored. */
  readonly bytes?: number;
}

/** Item indexes, in the order in which they are decided: the work of one activity. */
type Chunk = number[];
/** Chunks that can run side by side. Stages run one after the other. */
export type Stage = Chunk[];

/**
 * A full batch (`MAX_RESOURCES_PER_BATCH`) is four activities, which run at the same time. An activity costs as much as some 50
 * resources, its workflow task included (measured, docs/performance.md). Whole pages of outcomes (`BODIES_PER_PAGE`), so that no two
 * activities write to one.
 */
const RESOURCES_PER_ACTIVITY = 250;
/** References that an activity can look up, and register if they are missing, well within its time. */
const REFERENCES_PER_ACTIVITY = 5_000;
/** Bytes of stored resources that an activity reads: they are in memory as text, as parsed values and as text again at the same time. */
const BYTES_PER_ACTIVITY = 32 * 1024 * 1024;
/** A resource with fewer bytes is light: an activity full of light resources is well within the limit. */
export const LIGHT_BYTES = BYTES_PER_ACTIVITY / RESOURCES_PER_ACTIVITY;

/** Resources that are decided together, and worked on between two checks of the batch, except for what cannot be divided. */
export const RESOURCES_PER_SLICE = 100;

/** Largest number of items in one activity. @param configured overrides the usual size; 1 = strictly one activity a resource. */
export function resourcesPerActivity(configured?: number): number {
  return configured ?? RESOURCES_PER_ACTIVITY;
}

/** Whether one activity can apply that many items with so many references each. */
export function fitsOneActivity(items: number, lookupsEach: number, size: number): boolean {
  return items <= size && items * lookupsEach <= REFERENCES_PER_ACTIVITY;
}

/**
 * An indivisible unit: the items of one key or of the keys of a reference cycle, or one item without a key.
 * Indexes ascend, so that items of one key apply in the order received.
 */
interface Unit {
  readonly indexes: readonly number[];
  readonly weight: number;
  readonly first: number;
  /** Units of the batch that it refers to; repeats are harmless. */
  readonly targets: readonly Unit[];
}

/** Units that share a chunk, targets of references first. */
type Block = readonly Unit[];

/**
 * Lays out a batch: every index exactly once; items of one key, and members of a reference cycle, in one chunk; the target of a reference
 * inside the batch is in an earlier stage, or before the item (or in a cycle with it) in its chunk. A chunk ends at `size`
 * items, at as many references as one activity looks up in its time, and at as many stored bytes as it may hold; it is larger
 * only if one item, key or cycle is.
 * Without references among the items, chunks follow the index, as storage pages do.
 * @param size items in a chunk, at least 1.
 */
export function planStages(items: readonly PlannedItem[], size: number): Stage[] {
  const stages: Block[][] = [];
  for (const family of familiesOf(unitsOf(items, size))) {
    // families have no reference between them, so each starts in the first stage
    for (const [step, blocks] of stepsOf(family, size).entries()) {
      const stage = stages[step];
      if (stage === undefined) stages.push([...blocks]);
      else for (const block of blocks) stage.push(block);
    }
  }
  return stages.map((blocks) => packBlocks(blocks, size));
}

/** Units in dependency order: each after all units that it refers to. */
function unitsOf(items: readonly PlannedItem[], size: number): Unit[] {
  const byKey = new Map<string, PlannedItem[]>();
  const keyless: PlannedItem[] = [];
  for (const item of items) {
    if (item.key === null) keyless.push(item);
    else appendTo(byKey, item.key, item);
  }
  const unitOf = new Map<string, Unit>();
  const units: Unit[] = [];
  const itemsOf = (key: string): PlannedItem[] => byKey.get(key) ?? [];
  const cycles = stronglyConnectedComponents(byKey.keys(), (key) => referencesOf(itemsOf(key)));
  for (const keys of cycles) {
    // keys of this unit are not in `unitOf` yet: references inside a cycle, and self-references, do not count as targets
    const unit = makeUnit(keys.flatMap(itemsOf), unitOf, size);
    units.push(unit);
    for (const key of keys) unitOf.set(key, unit);
  }
  for (const item of keyless) units.push(makeUnit([item], unitOf, size));
  return units;
}

function* referencesOf(items: Iterable<PlannedItem>): Generator<string> {
  for (const item of items) yield* item.references;
}

function makeUnit(items: readonly PlannedItem[], unitOf: ReadonlyMap<string, Unit>, size: number): Unit {
  const indexes = items.map((item) => item.index).sort((a, b) => a - b);
  const targets = new Set<Unit>();
  for (const key of referencesOf(items)) {
    const target = unitOf.get(key);
    if (target !== undefined) targets.add(target);
  }
  const weight = items.reduce((sum, item) => sum + Math.max(1, shareOf(item) * size), 0);
  return { indexes, weight, first: indexes[0] ?? 0, targets: [...targets] };
}

/** The share of an activity that an item takes, by references or by bytes, whichever is more; by number it is 1 / `size`. */
const shareOf = ({ lookups = 0, bytes = 0 }: PlannedItem): number =>
  Math.max(lookups / REFERENCES_PER_ACTIVITY, bytes / BYTES_PER_ACTIVITY);

/** Divides units into families that have no reference between them; the order of the units is kept within a family. */
function familiesOf(units: readonly Unit[]): Unit[][] {
  const parents = new Map<Unit, Unit>();
  for (const unit of units) {
    for (const target of unit.targets) {
      const [root, other] = [rootOf(unit, parents), rootOf(target, parents)];
      if (root !== other) parents.set(other, root);
    }
  }
  const families = new Map<Unit, Unit[]>();
  for (const unit of units) {
    const root = rootOf(unit, parents);
    if (!families.get(root)?.push(unit)) families.set(root, [unit]);
  }
  return [...families.values()];
}

/** The representative unit of a family (union-find), with path compression. */
function rootOf(unit: Unit, parents: Map<Unit, Unit>): Unit {
  let current = unit;
  for (let parent = parents.get(current); parent !== undefined; parent = parents.get(current)) {
    const grandparent = parents.get(parent);
    if (grandparent !== undefined) parents.set(current, grandparent);
    current = grandparent ?? parent;
  }
  return current;
}

/**
 * The stages of one family. Consecutive levels that fit into one chunk together become one block, so that a deep chain costs
 * one activity for `size` items and not one for each; a level that is too wide for that is a stage of its own, cut anywhere.
 */
function stepsOf(family: readonly Unit[], size: number): Block[][] {
  const steps: Block[][] = [];
  let block: Unit[] = [];
  let room = 0;
  for (const level of levelsOf(family)) {
    const weight = weightOf(level);
    if (weight > size) {
      steps.push(level.map((unit) => [unit]));
      room = 0;
    } else if (weight > room) {
      block = [...level];
      steps.push([block]);
      room = size - weight;
    } else {
      for (const unit of level) block.push(unit);
      room -= weight;
    }
  }
  return steps;
}

/** Units by the longest chain of references below them, each level in index order. */
function levelsOf(family: readonly Unit[]): Unit[][] {
  const levelOf = new Map<Unit, number>();
  const levels: Unit[][] = [];
  for (const unit of family) {
    let level = 0;
    for (const target of unit.targets) level = Math.max(level, (levelOf.get(target) ?? 0) + 1);
    levelOf.set(unit, level);
    // the target that put it here is one level below, so levels grow by one at a time
    if (!levels[level]?.push(unit)) levels.push([unit]);
  }
  for (const level of levels) level.sort((a, b) => a.first - b.first);
  return levels;
}

/** Fills chunks in index order; a block that does not fit any more starts the next chunk. */
function packBlocks(blocks: readonly Block[], size: number): Chunk[] {
  const chunks: Chunk[] = [];
  let room = 0;
  for (const block of blocks.toSorted((a, b) => firstOf(a) - firstOf(b))) {
    const weight = weightOf(block);
    if (chunks.length === 0 || weight > room) {
      chunks.push([]);
      room = size;
    }
    for (const unit of block) for (const index of unit.indexes) chunks.at(-1)?.push(index);
    room -= weight;
  }
  return chunks;
}

function weightOf(units: readonly Unit[]): number {
  return units.reduce((sum, unit) => sum + unit.weight, 0);
}

function firstOf(block: Block): number {
  return block.reduce((first, unit) => Math.min(first, unit.first), Number.POSITIVE_INFINITY);
}
