import { type DeletionGraph, MAX_NAMED_REFERRERS, referrersWithin } from '../domain/decide-deletion.ts';
import type { ResourceKey } from '../domain/resource.ts';
import type { Scope } from '../domain/scope.ts';
import type { Database } from '../store/database.ts';
import { readReferrers, readVertices, scanReferrers, slices, type Vertex } from '../store/reference-graph.ts';
import { visible } from '../store/resources.ts';

/** From this many keys on, whose referrers are wanted, one pass over the tenant's resources is cheaper than asking for each. */
const MAX_ASKED_KEYS = 2_000;
/** Steps of a cascade that are followed one by one before one pass over the tenant's resources follows the rest. */
const MAX_ASKED_LEVELS = 8;

export interface GraphRequest {
  readonly scope: Scope;
  /** Keys asked for, each once. */
  readonly targets: readonly ResourceKey[];
  readonly cascade: boolean;
}

/**
 * Loads what a delete has to know, as readers see it: the targets that are there, and who refers to them; with cascade also
 * who refers to those, transitively. References to anything else are left out. Without cascade, of the many outside that refer
 * to one target only the lowest `MAX_NAMED_REFERRERS` are kept.
 * @param progress called between commands; what it throws ends the loading.
 */
export async function loadDeletionGraph(
  database: Database,
  { scope, targets, cascade }: GraphRequest,
  progress: () => void,
): Promise<DeletionGraph> {
  const references = new Map<ResourceKey, readonly ResourceKey[]>();
  for (const some of slices(targets)) {
    progress();
    for (const vertex of await visible(database, await readVertices(database, some))) {
      references.set(vertex._id, vertex.references);
    }
  }
  const present = [...references.keys()];
  if (cascade) await addAllReferrers(database, scope, references, progress);
  else await addOutsiders(database, scope, references, progress);
  for (const [key, refersTo] of references) {
    if (refersTo.some((target) => !references.has(target))) {
      references.set(key, refersTo.filter((target) => references.has(target)));
    }
  }
  return { targets: present, references };
}

/** Adds who refers to a target from outside. */
async function addOutsiders(
  database: Database,
  scope: Scope,
  references: Map<ResourceKey, readonly ResourceKey[]>,
  progress: () => void,
): Promise<void> {
  const targets = new Set(references.keys());
  const outsiders = new Map<ResourceKey, ResourceKey[]>();
  for await (const vertices of referrersOf(database, scope, [...targets])) {
    progress();
    for (const { _id, references: refersTo } of vertices) {
      if (targets.has(_id)) continue;
      for (const target of refersTo) if (targets.has(target)) addLowest(outsiders, target, _id);
    }
  }
  for (const [target, referrers] of outsiders) {
    for (const referrer of referrers) references.set(referrer, [...(references.get(referrer) ?? []), target]);
  }
}

function addLowest(outsiders: Map<ResourceKey, ResourceKey[]>, target: ResourceKey, referrer: ResourceKey): void {
  const known = outsiders.get(target);
  if (known === undefined) outsiders.set(target, [referrer]);
  else if (!known.includes(referrer)) {
    known.push(referrer);
    if (known.length > MAX_NAMED_REFERRERS) known.sort().pop();
  }
}

/** Those that refer to any of these keys and are seen, and with many keys those that refer to anything. */
async function* referrersOf(database: Database, scope: Scope, keys: readonly ResourceKey[]): AsyncGenerator<Vertex[]> {
  if (keys.length > MAX_ASKED_KEYS) yield* scanReferrers(database, scope);
  else for (const some of slices(keys)) yield visible(database, await readReferrers(database, some));
}

/** Adds who refers to what is there, and who refers to those, until nothing is added. */
async function addAllReferrers(
  database: Database,
  scope: Scope,
  references: Map<ResourceKey, readonly ResourceKey[]>,
  progress: () => void,
): Promise<void> {
  let frontier = [...references.keys()];
  for (let level = 0; frontier.length > 0; level++) {
    if (frontier.length > MAX_ASKED_KEYS || level >= MAX_ASKED_LEVELS) {
      await addReferrersByScan(database, scope, references, progress);
      return;
    }
    const found: ResourceKey[] = [];
    for (const some of slices(frontier)) {
      progress();
      for (const vertex of await visible(database, await readReferrers(database, some))) {
        if (references.has(vertex._id)) continue;
        references.set(vertex._id, vertex.references);
        found.push(vertex._id);
      }
    }
    frontier = found;
  }
}

async function addReferrersByScan(
  database: Database,
  scope: Scope,
  references: Map<ResourceKey, readonly ResourceKey[]>,
  progress: () => void,
): Promise<void> {
  const all = new Map<ResourceKey, readonly ResourceKey[]>();
  for await (const vertices of scanReferrers(database, scope)) {
    progress();
    for (const vertex of vertices) all.set(vertex._id, vertex.references);
  }
  const referrers = referrersWithin(all);
  // a map being iterated also gives what is added to it on the way
  for (const key of references.keys()) {
    for (const referrer of referrers.get(key) ?? []) {
      if (!references.has(referrer)) references.set(referrer, all.get(referrer) ?? []);
    }
  }
}
