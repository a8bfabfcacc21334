import { type NumberedComponents, numberedComponents } from '../collections/numbered-components.ts';
import { atOnce, type Computation, STEPS_PER_YIELD } from '../collections/run-yielding.ts';
import { MAX_NAMED_REFERRERS } from '../limits.ts';
import { LinkedResources, type Referrers } from './linked-resources.ts';

/** Bytes that a decision takes in addition to the graph: for each resource, and for each reference. */
export const BYTES_TO_DECIDE = { resource: 64, reference: 4 } as const;

/** The decision on numbered resources. */
export interface NumberedDecision {
  readonly referrers: Referrers;
  /** All resources of one component are deleted or stay together. */
  readonly components: NumberedComponents;
  /**
   * Component -> its stage, `STAYS` if it is not deleted: the longest chain of components that refer to it. Deleting stage after
   * stage deletes every referrer before its target (invariant 3, at every moment).
   */
  readonly stages: Int32Array;
}

export const STAYS = -1;

export const isDeleted = ({ components, stages }: NumberedDecision, n: number): boolean =>
  (stages[components.of[n] ?? 0] ?? STAYS) !== STAYS;

/**
 * Decides a delete. Without cascade, it deletes the largest set of targets to which nothing outside the set refers: requested resources
 * count together, and the target of a surviving resource stays. With cascade, it deletes the targets and
 * everything that refers to a deleted resource. A self-reference never keeps a resource. Linear in resources and references.
 * @param linked the targets that have references in either direction, their referrers and, with cascade, the referrers of those, transitively.
 * @param targets 1 for each number that was requested. Any other resource stays, unless the cascade deletes it.
 */
export function* numberedDecision(
  linked: LinkedResources,
  targets: Uint8Array,
  cascade: boolean,
): Computation<NumberedDecision> {
  const referrers = yield* linked.reversed();
  // along reversed references: a component comes after all components that refer to it
  const components = yield* numberedComponents(referrers.first, referrers.referrers);
  const graph = { referrers, components };
  const stages = cascade ? yield* withReferrers(graph, targets) : yield* unreferenced(graph, targets);
  yield* countStages(graph, stages);
  return { ...graph, stages };
}

type Graph = Pick<NumberedDecision, 'referrers' | 'components'>;

/** All components that contain a target, or refer to a deleted component: decided after all components that they refer to. */
function* withReferrers(graph: Graph, targets: Uint8Array): Computation<Int32Array> {
  const { count } = graph.components;
  const stages = new Int32Array(count).fill(STAYS);
  for (let component = count - 1; component >= 0; component--) {
    if (component % STEPS_PER_YIELD === 0) yield;
    if (someMember(graph.components, component, (n) => targets[n] === 1)) stages[component] = 0;
    if (stages[component] !== STAYS) yield* eachReferrer(graph, component, (referrer) => (stages[referrer] = 0));
  }
  return stages;
}

/** All components that contain only targets, and that no surviving component refers to: decided after all components that refer to them. */
function* unreferenced(graph: Graph, targets: Uint8Array): Computation<Int32Array> {
  const { count } = graph.components;
  const stages = new Int32Array(count);
  for (let component = 0; component < count; component++) {
    if (component % STEPS_PER_YIELD === 0) yield;
    let goes = !someMember(graph.components, component, (n) => targets[n] !== 1);
    yield* eachReferrer(graph, component, (referrer) => {
      if (stages[referrer] === STAYS) goes = false;
    });
    if (!goes) stages[component] = STAYS;
  }
  return stages;
}

/** A component that refers to a deleted component is deleted too, and its stage is known by then. */
function* countStages(graph: Graph, stages: Int32Array): Computation<void> {
  for (let component = 0; component < stages.length; component++) {
    if (component % STEPS_PER_YIELD === 0) yield;
    if (stages[component] === STAYS) continue;
    let stage = 0;
    yield* eachReferrer(graph, component, (referrer) => {
      stage = Math.max(stage, (stages[referrer] ?? 0) + 1);
    });
    stages[component] = stage;
  }
}

function someMember({ starts, members }: NumberedComponents, component: number, is: (n: number) => boolean): boolean {
  const end = starts[component + 1] ?? 0;
  for (let at = starts[component] ?? 0; at < end; at++) if (is(members[at] ?? 0)) return true;
  return false;
}

/** Calls `act` with the component of each referrer of a component's members, except the component itself. */
function* eachReferrer(
  { referrers: { first, referrers }, components: { of, starts, members } }: Graph,
  component: number,
  act: (referrer: number) => void,
): Computation<void> {
  const end = starts[component + 1] ?? 0;
  for (let at = starts[component] ?? 0; at < end; at++) {
    const n = members[at] ?? 0;
    const last = first[n + 1] ?? 0;
    for (let place = first[n] ?? 0; place < last; place++) {
      if (place % STEPS_PER_YIELD === 0) yield;
      const referrer = of[referrers[place] ?? 0] ?? 0;
      if (referrer !== component) act(referrer);
    }
  }
}

/** The survivors that refer to a surviving resource: up to `MAX_NAMED_REFERRERS`, the lowest ones, sorted, never the resource itself. */
export function* survivingReferrers(
  { keys }: LinkedResources,
  decision: NumberedDecision,
  n: number,
): Computation<string[]> {
  const { first, referrers } = decision.referrers;
  const named: string[] = [];
  const last = first[n + 1] ?? 0;
  for (let place = first[n] ?? 0; place < last; place++) {
    if (place % STEPS_PER_YIELD === 0) yield;
    const referrer = referrers[place] ?? 0;
    if (isDeleted(decision, referrer)) continue;
    const key = keys.key(referrer);
    if (named.length === MAX_NAMED_REFERRERS && key >= (named.at(-1) ?? '')) continue;
    if (named.includes(key)) continue;
    named.push(key);
    named.sort();
    if (named.length > MAX_NAMED_REFERRERS) named.pop();
  }
  return named;
}

/** The stored resources that a delete needs to know, by name. */
export interface DeletionGraph {
  /** Requested keys that exist; repeats count once. */
  readonly targets: readonly string[];
  /** Outgoing references of every known resource (see `numberedDecision`). */
  readonly references: ReadonlyMap<string, readonly string[]>;
}

export interface DeletionDecision {
  /**
   * Groups in the order of deletion, each sorted: a referrer is deleted before its target (invariant 3, at every moment).
   * A group of more than one key is a cycle and is deleted together; groups of one stage are independent of each other.
   */
  readonly stages: readonly (readonly (readonly string[])[])[];
  /** Targets that stay, sorted, with the survivors that refer to them (see `survivingReferrers`). */
  readonly kept: ReadonlyMap<string, readonly string[]>;
  /** Deleted keys that were not requested; 0 without cascade. */
  readonly cascaded: number;
}

/** `numberedDecision` by name, at once: for resources that fit into one step. The same graph gives the same decision, in whatever order it is given. */
export function decideDeletion({ targets, references }: DeletionGraph, cascade: boolean): DeletionDecision {
  const linked = new LinkedResources();
  const asked = [...new Set(targets)];
  for (const key of asked) linked.keys.add(key);
  for (const from of references.keys()) linked.keys.add(from);
  for (const [from, keys] of references) {
    for (const to of keys) {
      const number = linked.keys.find(to);
      if (number >= 0) linked.addReference(linked.keys.find(from), number);
    }
  }
  const isTarget = new Uint8Array(linked.size).fill(1, 0, asked.length);
  const decision = atOnce(numberedDecision(linked, isTarget, cascade));
  const stages = namedStages(linked, decision);
  const kept = asked.filter((_, n) => !isDeleted(decision, n)).sort();
  return {
    stages,
    kept: new Map(kept.map((key) => [key, atOnce(survivingReferrers(linked, decision, linked.keys.find(key)))])),
    cascaded: stages.reduce((sum, stage) => sum + stage.flat().length, 0) - asked.length + kept.length,
  };
}

function namedStages(linked: LinkedResources, { components, stages }: NumberedDecision): string[][][] {
  const named: string[][][] = [];
  for (const [component, stage] of stages.entries()) {
    if (stage === STAYS) continue;
    const members = components.members.subarray(components.starts[component], components.starts[component + 1]);
    const group = Array.from(members, (n) => linked.keys.key(n)).sort();
    const groups = named[stage];
    if (groups === undefined) named[stage] = [group];
    else groups.push(group);
  }
  for (const stage of named) stage.sort(byFirstKey);
  return named;
}

function byFirstKey([a = '']: readonly string[], [b = '']: readonly string[]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
