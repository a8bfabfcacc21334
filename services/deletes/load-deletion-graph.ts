import type { Scope } from '../../domain/batch/scope.ts';
import { type ChargeMemory, NumberList } from '../../domain/collections/number-list.ts';
import type { LinkedResources } from '../../domain/delete/linked-resources.ts';
import { MAX_NAMED_REFERRERS } from '../../domain/limits.ts';
import { parseResourceKey, type ResourceKey } from '../../domain/write/resource.ts';
import {
  scanVertices,
  type Vertex,
  visibleReferrers,
  visibleVertices,
} from '../../isolation/resources/reference-graph.ts';
import { estimatedResources } from '../../isolation/resources/resource-sizes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { KEYS_PER_QUERY } from '../../store/mongodb/parts.ts';

/** If the requested keys are more than this share of the stored ones, one pass over all of them is cheaper. */
const SHARE_WORTH_A_SCAN = 0.05;
/** Fewer keys than this are always looked up one by one. */
const MIN_KEYS_WORTH_A_SCAN = 1_000;
/** Levels of a cascade that are followed one by one before one pass over the tenant's resources follows the rest. */
const MAX_ASKED_LEVELS = 8;

/** From this number of keys on, one pass over the tenant's resources is cheaper than looking up each. */
export async function keysWorthAScan(database: Database): Promise<number> {
  return Math.max(MIN_KEYS_WORTH_A_SCAN, SHARE_WORTH_A_SCAN * (await estimatedResources(database)));
}

export interface Loading {
  readonly database: Database;
  readonly scope: Scope;
  /** Definition of the requested resources. */
  readonly schemaDefinitionId: string;
  readonly cascade: boolean;
  /** Loaded resources are added here, as readers see them. References that cannot affect the decision are left out. */
  readonly linked: LinkedResources;
  readonly charge: ChargeMemory;
  /** Awaited every few thousand resources; an error that it throws ends the loading. */
  readonly progress: () => Promise<void>;
}

/**
 * Loads the resources that a delete needs to know: the referrers of the targets; with cascade also the referrers of those, transitively.
 * Without cascade, of the many outside resources that refer to one target only `MAX_NAMED_REFERRERS` are kept.
 * @param loading all requested resources have their numbers already.
 * @returns 1 for each requested resource that exists.
 */
export async function loadListed(loading: Loading): Promise<Uint8Array> {
  const present = new Uint8Array(loading.linked.size);
  const worthAScan = await keysWorthAScan(loading.database);
  if (present.length > worthAScan) {
    await scan(loading, present);
    return present;
  }
  for (const some of slicesOf(loading.linked, 0, present.length)) {
    await loading.progress();
    for (const { _id } of await visibleVertices(loading.database, some)) {
      present[loading.linked.keys.find(_id)] = 1;
    }
  }
  if (!loading.cascade) await askForReferrers(loading, present.length);
  else if (!(await followReferrers(loading, worthAScan))) await scan(loading, present);
  return present;
}

/**
 * The same for all resources of a schema definition. Only resources with a reference to or from another one of them get a
 * number: the rest, usually almost all, take no memory.
 * @returns how many resources the schema definition has.
 */
export function loadAll(loading: Loading): Promise<number> {
  return scan(loading, null);
}

function* slicesOf({ keys }: LinkedResources, from: number, to: number): Generator<ResourceKey[]> {
  for (let at = from; at < to; at += KEYS_PER_QUERY) {
    yield Array.from({ length: Math.min(KEYS_PER_QUERY, to - at) }, (_, offset) => keys.key(at + offset));
  }
}

/** Pages of the resources that refer to any of these keys, with the keys that they refer to. */
async function* referrersOf(
  { database, progress }: Loading,
  some: readonly ResourceKey[],
): AsyncGenerator<{ referrer: ResourceKey; target: ResourceKey }[]> {
  const targets = new Set(some);
  for await (const page of visibleReferrers(database, some)) {
    await progress();
    yield page.flatMap(({ _id, references }) =>
      references.filter((key) => targets.has(key)).map((target) => ({ referrer: _id, target })),
    );
  }
}

/** Adds the referrers of the first `asked` resources; of those outside, the lowest few for each. */
async function askForReferrers(loading: Loading, asked: number): Promise<void> {
  const { linked } = loading;
  for (const some of slicesOf(linked, 0, asked)) {
    const outsiders = new Map<ResourceKey, ResourceKey[]>();
    for await (const page of referrersOf(loading, some)) {
      for (const { referrer, target } of page) {
        const number = linked.keys.find(referrer);
        if (number >= 0 && number < asked) linked.addReference(number, linked.keys.find(target));
        else addLowest(outsiders, target, referrer);
      }
    }
    for (const [target, referrers] of outsiders) {
      for (const key of referrers) linked.addReference(linked.keys.add(key), linked.keys.find(target));
    }
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

/**
 * Adds the referrers of the known resources, and their referrers, until nothing is added.
 * @returns false if one pass over everything is cheaper.
 */
async function followReferrers(loading: Loading, worthAScan: number): Promise<boolean> {
  const { linked } = loading;
  // the resources that one level adds have the numbers from there on
  let from = 0;
  for (let level = 0; from < linked.size; level++) {
    const to = linked.size;
    if (to - from > worthAScan || level >= MAX_ASKED_LEVELS) return false;
    for (const some of slicesOf(linked, from, to)) {
      for await (const page of referrersOf(loading, some)) {
        for (const { referrer, target } of page) {
          linked.addReference(linked.keys.add(referrer), linked.keys.find(target));
        }
      }
    }
    from = to;
  }
  return true;
}

/**
 * Adds the relevant ones of all the tenant's resources, in one pass over them; in several passes with cascade, if a schema definition
 * turns out to be relevant after resources that refer to it were read.
 * @param present the first ones are requested, and marked here if they exist; null: all of the schema definition are requested.
 * @returns how many resources the schema definition has.
 */
async function scan(loading: Loading, present: Uint8Array | null): Promise<number> {
  const pass = loading.cascade ? new CascadePass(loading) : new PlainPass(loading, present);
  for (;;) {
    let seen = 0;
    loading.linked.forgetReferences();
    pass.begin();
    for await (const vertices of scanVertices(loading.database, loading.scope)) {
      await loading.progress();
      for (const vertex of vertices) {
        if (present !== null) markPresent(loading.linked, present, vertex._id);
        if (schemaOf(vertex._id) === loading.schemaDefinitionId) seen += 1;
        for (const target of vertex.references) if (target !== vertex._id) pass.add(vertex, target);
      }
    }
    if (pass.isComplete()) return seen;
  }
}

const schemaOf = (key: ResourceKey): string => parseResourceKey(key).schemaDefinitionId;

function markPresent({ keys }: LinkedResources, present: Uint8Array, key: ResourceKey): void {
  const number = keys.find(key);
  // only requested resources have a position there
  if (number >= 0 && number < present.length) present[number] = 1;
}

/** Collects all references to resources that may be deleted. */
class PlainPass {
  readonly #linked: LinkedResources;
  readonly #mayBeAsked: (key: ResourceKey) => boolean;
  /** Number of outside referrers that are kept, for each resource. */
  readonly #outsiders: NumberList;

  constructor({ linked, schemaDefinitionId, charge }: Loading, present: Uint8Array | null) {
    this.#linked = linked;
    this.#outsiders = new NumberList(charge);
    this.#mayBeAsked =
      present === null
        ? (key) => schemaOf(key) === schemaDefinitionId
        : (key) => {
            const number = linked.keys.find(key);
            return number >= 0 && number < present.length;
          };
  }

  begin(): void {
    this.#outsiders.clear();
  }

  add({ _id }: Vertex, target: ResourceKey): void {
    if (!this.#mayBeAsked(target)) return;
    const { keys } = this.#linked;
    const to = keys.add(target);
    if (!this.#mayBeAsked(_id)) {
      const kept = this.#outsiders.at(to);
      if (kept >= MAX_NAMED_REFERRERS) return;
      this.#outsiders.set(to, kept + 1);
    }
    this.#linked.addReference(keys.add(_id), to);
  }

  isComplete(): boolean {
    return true;
  }
}

/** Collects all references to schema definitions whose resources may be deleted: the requested one, and those that refer to such a definition. */
class CascadePass {
  readonly #linked: LinkedResources;
  readonly #schemas: Set<string>;
  /** Schema definitions that did not seem relevant when a resource that refers to them was read. */
  readonly #leftOut = new Set<string>();

  constructor({ linked, schemaDefinitionId }: Loading) {
    this.#linked = linked;
    this.#schemas = new Set([schemaDefinitionId]);
  }

  begin(): void {
    this.#leftOut.clear();
  }

  add({ _id }: Vertex, target: ResourceKey): void {
    const { keys } = this.#linked;
    const schema = schemaOf(target);
    if (!this.#schemas.has(schema)) this.#leftOut.add(schema);
    else {
      this.#schemas.add(schemaOf(_id));
      this.#linked.addReference(keys.add(_id), keys.add(target));
    }
  }

  isComplete(): boolean {
    return [...this.#leftOut].every((schema) => !this.#schemas.has(schema));
  }
}
