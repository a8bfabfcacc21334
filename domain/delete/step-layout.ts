import { type Computation, STEPS_PER_YIELD } from '../collections/run-yielding.ts';
import { type NumberedDecision, STAYS } from './decide-deletion.ts';

/** A delete is cut into about this many steps, each applied by one activity, within the limits below. */
const STEPS_PER_DELETION = 40;
const MIN_KEYS_PER_STEP = 50;
/** One step has to finish within seconds. */
const MAX_KEYS_PER_STEP = 2000;

/** The number of resources in one step of a delete of `total`. */
export function keysPerStep(total: number): number {
  return Math.min(MAX_KEYS_PER_STEP, Math.max(MIN_KEYS_PER_STEP, Math.ceil(total / STEPS_PER_DELETION)));
}

/** A step: the numbers from one position of the order up to, not including, another. */
export interface StepRange {
  readonly from: number;
  readonly to: number;
}

export interface DeletionLayout {
  /** The deleted resources, by number, step after step. */
  readonly order: Uint32Array;
  readonly stages: readonly (readonly StepRange[])[];
}

/**
 * Cuts a delete into steps of about `size` resources. Those of a step vanish at one moment. A referrer is deleted in an earlier stage
 * than its target, or in the same step; steps of one stage are independent of each other. Consecutive small stages share a
 * step, so that a long chain has few steps; a cycle larger than `size` makes one large step.
 * @param sequence every number once: within a stage this is the order, except that cycles stay together.
 */
export function* layOutDeletion(
  decision: NumberedDecision,
  sequence: Uint32Array,
  size: number,
): Computation<DeletionLayout> {
  const ends = yield* stageEnds(decision);
  const order = yield* inStages(decision, sequence, ends);
  const stages: StepRange[][] = [];
  let shared: StepRange | null = null;
  let from = 0;
  for (const [stage, to] of ends.entries()) {
    if (stage % STEPS_PER_YIELD === 0) yield;
    if (shared !== null && to - shared.from <= size) {
      shared = { from: shared.from, to };
      stages[stages.length - 1] = [shared];
    } else if (to - from <= size) {
      shared = { from, to };
      stages.push([shared]);
    } else {
      shared = null;
      stages.push(yield* cutStage(decision, order, { from, to }, size));
    }
    from = to;
  }
  return { order, stages };
}

/** The position where each stage ends in the order. */
function* stageEnds({ components: { starts }, stages }: NumberedDecision): Computation<Uint32Array> {
  let count = 0;
  for (const stage of stages) count = Math.max(count, stage + 1);
  const ends = new Uint32Array(count);
  for (const [component, stage] of stages.entries()) {
    if (component % STEPS_PER_YIELD === 0) yield;
    if (stage === STAYS) continue;
    ends[stage] = (ends[stage] ?? 0) + (starts[component + 1] ?? 0) - (starts[component] ?? 0);
  }
  for (let stage = 1; stage < count; stage++) ends[stage] = (ends[stage] ?? 0) + (ends[stage - 1] ?? 0);
  return ends;
}

function* inStages(
  { components: { of, starts, members }, stages }: NumberedDecision,
  sequence: Uint32Array,
  ends: Uint32Array,
): Computation<Uint32Array> {
  const order = new Uint32Array(ends.at(-1) ?? 0);
  // the next free position of each stage: at first where the stage before ends
  const next = new Uint32Array(ends.length + 1);
  next.set(ends, 1);
  const placed = new Uint8Array(stages.length);
  for (const [at, n] of sequence.entries()) {
    if (at % STEPS_PER_YIELD === 0) yield;
    const component = of[n] ?? 0;
    const stage = stages[component] ?? STAYS;
    if (stage === STAYS || placed[component] === 1) continue;
    placed[component] = 1;
    const end = starts[component + 1] ?? 0;
    let place = next[stage] ?? 0;
    for (let member = starts[component] ?? 0; member < end; member++) order[place++] = members[member] ?? 0;
    next[stage] = place;
  }
  return order;
}

function* cutStage(
  { components: { of } }: NumberedDecision,
  order: Uint32Array,
  { from, to }: StepRange,
  size: number,
): Computation<StepRange[]> {
  const steps: StepRange[] = [];
  let start = from;
  let group = from;
  for (let at = from + 1; at <= to; at++) {
    if (at % STEPS_PER_YIELD === 0) yield;
    if (at < to && of[order[at] ?? 0] === of[order[at - 1] ?? 0]) continue;
    // the group that began at `group` ends here
    if (at - start > size && group > start) {
      steps.push({ from: start, to: group });
      start = group;
    }
    group = at;
  }
  steps.push({ from: start, to });
  return steps;
}
