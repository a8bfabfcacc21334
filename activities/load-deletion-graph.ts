import { type DeletionGraph, MAX_NAMED_REFERRERS, referrersWithin } from '../domain/decide-deletion.ts';
import type { ResourceKey } from '../domain/resource.ts';
import type { Scope } from '../domain/scope.ts';
import type { Database } from '../store/database.ts';
import {
  estimatedResources,
  readReferrers,
  readVertices,
  scanVertices,
  slices,
  type Vertex,
} from '../store/reference-graph.ts';
import { visible } from '../store/resources.ts';

/** Where keys that are asked about are more than this share of what is stored, one pass over it is cheaper. */
const SHARE_WORTH_A_SCAN = 0.05;
/** Fewer keys than this are always asked about. */
const MIN_KEYS_WORTH_A_SCAN = 1_000;
/** Levels of a cascade that are followed one by one before one pass over the tenant's resources follows the rest. */
const MAX_ASKED_LEVELS = 8;

export interface GraphRequest {
  readonly scope: Scope;
  /** Keys asked for, each once. */
  readonly targets: readonly ResourceKey[];
  readonly cascade: boolean;
}

/** What is known of the resources; between commands `progress` is called, and may end the loading by what it throws. */
interface Loading {
  readonly database: Database;
  readonly scope: Scope;
  readonly references: Map<ResourceKey, readonly ResourceKey[]>;
  readonly progress: () => void;
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
  const loading: Loading = { database, scope, references, progress };
  const worthAScan = Math.max(MIN_KEYS_WORTH_A_SCAN, SHARE_WORTH_A_SCAN * (await estimatedResources(database)));
  if (targets.length > worthAScan) {
    const outside = await scanTargets(loading, new Set(targets), cascade);
    const present = [...references.keys()];
    if (cascade) addReferrersOf(references, outside);
    return withinKnown(present, references);
  }
  for (const some of slices(targets)) {
    progress();
    for (const vertex of await visible(database, await readVertices(database, some))) {
      references.set(vertex._id, vertex.references);
    }
  }
  const present = [...references.keys()];
  if (cascade) await askForReferrers(loading, worthAScan);
  else await askForOutsiders(loading);
  return withinKnown(present, references);
}

function withinKnown(
  targets: readonly ResourceKey[],
  references: Map<ResourceKey, readonly ResourceKey[]>,
): DeletionGraph {
  for (const [key, refersTo] of references) {
    if (refersTo.some((target) => !references.has(target))) references.set(key, among(references, refersTo));
  }
  return { targets, references };
}

/**
 * Finds targets, and who refers to them, in one pass over the tenant's resources.
 * @returns with cascade, everything else that refers to anything.
 */
async function scanTargets(
  { database, scope, references, progress }: Loading,
  targets: ReadonlySet<ResourceKey>,
  cascade: boolean,
): Promise<Map<ResourceKey, readonly ResourceKey[]>> {
  const outside = new Map<ResourceKey, readonly ResourceKey[]>();
  const outsiders = new Outsiders();
  for await (const vertices of scanVertices(database, scope)) {
    progress();
    for (const vertex of vertices) {
      if (targets.has(vertex._id))
        references.set(vertex._id, cascade ? vertex.references : among(targets, vertex.references));
      else if (!cascade) outsiders.add(vertex, targets);
      else if (vertex.references.length > 0) outside.set(vertex._id, vertex.references);
    }
  }
  outsiders.addTo(references);
  return outside;
}

const NONE: readonly ResourceKey[] = [];

/** Those of some keys that matter; mostly none, which then cost no memory. */
function among(known: { has(key: ResourceKey): boolean }, keys: readonly ResourceKey[]): readonly ResourceKey[] {
  const some = keys.filter((key) => known.has(key));
  return some.length > 0 ? some : NONE;
}

/** Of the many that refer to a target from outside, the lowest few. */
class Outsiders {
  readonly #referrers = new Map<ResourceKey, ResourceKey[]>();

  add({ _id, references }: Vertex, targets: { has(key: ResourceKey): boolean }): void {
    for (const target of references) {
      if (!targets.has(target)) continue;
      const known = this.#referrers.get(target);
      if (known === undefined) this.#referrers.set(target, [_id]);
      else if (!known.includes(_id)) {
        known.push(_id);
        if (known.length > MAX_NAMED_REFERRERS) known.sort().pop();
      }
    }
  }

  addTo(references: Map<ResourceKey, readonly ResourceKey[]>): void {
    for (const [target, referrers] of this.#referrers) {
      for (const referrer of referrers) references.set(referrer, [...(references.get(referrer) ?? []), target]);
    }
  }
}

/** Adds who refers to a target from outside. */
async function askForOutsiders({ database, references, progress }: Loading): Promise<void> {
  const outsiders = new Outsiders();
  for (const some of slices([...references.keys()])) {
    for await (const page of readReferrers(database, some)) {
      progress();
      for (const vertex of await visible(database, page)) {
        if (!references.has(vertex._id)) outsiders.add(vertex, references);
      }
    }
  }
  outsiders.addTo(references);
}

/** Adds who refers to what is known, and who refers to those, until nothing is added. */
async function askForReferrers(loading: Loading, worthAScan: number): Promise<void> {
  const { database, scope, references, progress } = loading;
  let frontier = [...references.keys()];
  for (let level = 0; frontier.length > 0; level++) {
    if (frontier.length > worthAScan || level >= MAX_ASKED_LEVELS) {
      const all = new Map<ResourceKey, readonly ResourceKey[]>();
      for await (const vertices of scanVertices(database, scope)) {
        progress();
        for (const vertex of vertices) if (vertex.references.length > 0) all.set(vertex._id, vertex.references);
      }
      addReferrersOf(references, all);
      return;
    }
    const found: ResourceKey[] = [];
    for (const some of slices(frontier)) {
      for await (const page of readReferrers(database, some)) {
        progress();
        for (const vertex of await visible(database, page)) {
          if (references.has(vertex._id)) continue;
          references.set(vertex._id, vertex.references);
          found.push(vertex._id);
        }
      }
    }
    frontier = found;
  }
}

/** Adds of `all` who refers to what is known, transitively. */
function addReferrersOf(
  references: Map<ResourceKey, readonly ResourceKey[]>,
  all: ReadonlyMap<ResourceKey, readonly ResourceKey[]>,
): void {
  const referrers = referrersWithin(all);
  // a map being iterated also gives what is added to it on the way
  for (const key of references.keys()) {
    for (const referrer of referrers.get(key) ?? []) {
      if (!references.has(referrer)) references.set(referrer, all.get(referrer) ?? []);
    }
  }
}
