import { stronglyConnectedComponents } from './components.ts';

/** Most survivors that a kept target names (contract section 2: `referenced`). */
export const MAX_NAMED_REFERRERS = 10;

/** What a delete has to know of the stored resources. */
export interface DeletionGraph {
  /** Keys asked for that exist; repeats count once. */
  readonly targets: readonly string[];
  /**
   * Outgoing references of every known resource: the targets, what refers to them and, with cascade, what refers to those,
   * transitively. A known resource that is no target stays, unless cascade takes it.
   */
  readonly references: ReadonlyMap<string, readonly string[]>;
}

export interface DeletionDecision {
  /**
   * Groups in the order to delete, each sorted: what refers goes before what it refers to (invariant 3, at every moment).
   * A group of more than one key is a cycle and goes together; groups of one stage are independent of each other.
   */
  readonly stages: readonly (readonly (readonly string[])[])[];
  /** Targets that stay, sorted, and who of those that stay refers to them: up to `MAX_NAMED_REFERRERS`, sorted, never itself. */
  readonly kept: ReadonlyMap<string, readonly string[]>;
  /** Deleted keys that were not asked for; 0 without cascade. */
  readonly cascaded: number;
}

/**
 * Decides a delete. Without cascade, what goes is the greatest set of targets to which nothing outside the set refers: what is
 * asked for together counts together, and what a resource that stays refers to stays. With cascade, the targets go and
 * everything that refers to what goes. A self-reference never keeps a resource.
 * Linear in resources and references but for sorting; the same for the same graph, in whatever order it is given.
 */
export function decideDeletion(graph: DeletionGraph, cascade: boolean): DeletionDecision {
  const targets = new Set(graph.targets);
  const referrers = referrersWithin(graph.references);
  const deleted = cascade ? withReferrers(targets, referrers) : unreferenced(targets, graph.references);
  return {
    stages: deletionStages(deleted, graph.references),
    kept: keptTargets(targets, deleted, referrers),
    cascaded: cascade ? deleted.size - targets.size : 0,
  };
}

/** Turns references around: key -> who refers to it, each once, itself left out. A key that nobody refers to has no entry. */
export function referrersWithin(references: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const referrers = new Map<string, string[]>();
  for (const [referrer, keys] of references) {
    for (const key of keys) {
      if (key === referrer) continue;
      const known = referrers.get(key);
      if (known === undefined) referrers.set(key, [referrer]);
      // one referrer's references come together, so a repeat is the last one
      else if (known.at(-1) !== referrer) known.push(referrer);
    }
  }
  return referrers;
}

/** The targets and all that refers to them, transitively. */
function withReferrers(
  targets: ReadonlySet<string>,
  referrers: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<string> {
  const deleted = new Set(targets);
  // a set being iterated also gives what is added to it on the way
  for (const key of deleted) for (const referrer of referrers.get(key) ?? []) deleted.add(referrer);
  return deleted;
}

/** The targets less those that a survivor refers to; each of these is a survivor too. */
function unreferenced(
  targets: ReadonlySet<string>,
  references: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<string> {
  const deleted = new Set(targets);
  const survivors = [...references.keys()].filter((key) => !targets.has(key));
  for (let survivor = survivors.pop(); survivor !== undefined; survivor = survivors.pop()) {
    for (const key of references.get(survivor) ?? []) if (deleted.delete(key)) survivors.push(key);
  }
  return deleted;
}

function keptTargets(
  targets: ReadonlySet<string>,
  deleted: ReadonlySet<string>,
  referrers: ReadonlyMap<string, readonly string[]>,
): Map<string, string[]> {
  const kept = [...targets].filter((key) => !deleted.has(key)).sort();
  return new Map(
    kept.map((key) => {
      const survivors = (referrers.get(key) ?? []).filter((referrer) => !deleted.has(referrer));
      return [key, survivors.sort().slice(0, MAX_NAMED_REFERRERS)];
    }),
  );
}

/** A group's stage is the longest chain of referrers above it; nobody refers to the groups of the first stage. */
function deletionStages(
  deleted: ReadonlySet<string>,
  references: ReadonlyMap<string, readonly string[]>,
): string[][][] {
  const stageOf = new Map<string, number>();
  const stages: string[][][] = [];
  const targetsFirst = stronglyConnectedComponents(deleted, (key) => references.get(key) ?? []);
  for (const group of targetsFirst.reverse()) {
    const stage = group.reduce((latest, key) => Math.max(latest, stageOf.get(key) ?? 0), 0);
    group.sort();
    // the referrer that put it here stands one stage before, so stages grow by one at a time
    if (!stages[stage]?.push(group)) stages.push([group]);
    for (const key of group) {
      for (const target of references.get(key) ?? []) {
        // a group's own stage is settled: what this says of its own keys is not read again
        stageOf.set(target, Math.max(stageOf.get(target) ?? 0, stage + 1));
      }
    }
  }
  for (const stage of stages) stage.sort(byFirstKey);
  return stages;
}

function byFirstKey([a = '']: readonly string[], [b = '']: readonly string[]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
