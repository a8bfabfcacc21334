import { type DeletionDecision, type DeletionGraph, decideDeletion } from './decide-deletion.ts';

/** A delete is cut into about this many steps, each carried out by one activity, within the limits below. */
const STEPS_PER_DELETION = 40;
const MIN_KEYS_PER_STEP = 50;
/** One step has to be over in seconds. */
const MAX_KEYS_PER_STEP = 2000;

/** How many resources go into one step of a delete of `total`. */
export function keysPerStep(total: number): number {
  return Math.min(MAX_KEYS_PER_STEP, Math.max(MIN_KEYS_PER_STEP, Math.ceil(total / STEPS_PER_DELETION)));
}

/**
 * The same as `decideDeletion`, for large graphs: targets without references to or from anything known, usually almost all
 * of them, go at any time, and are kept out of the sorting.
 */
export function decideLargeDeletion(graph: DeletionGraph, cascade: boolean): DeletionDecision {
  const linked = new Set<string>();
  for (const [referrer, keys] of graph.references) {
    for (const key of keys) {
      if (key === referrer) continue;
      linked.add(key);
      linked.add(referrer);
    }
  }
  const targets = new Set(graph.targets);
  const free = [...targets].filter((key) => !linked.has(key));
  const decision = decideDeletion(
    {
      targets: [...targets].filter((key) => linked.has(key)),
      references: new Map([...graph.references].filter(([key]) => linked.has(key))),
    },
    cascade,
  );
  if (free.length === 0) return decision;
  const [first = [], ...later] = decision.stages;
  return { ...decision, stages: [[...first, ...free.map((key) => [key])], ...later] };
}

/**
 * Cuts the stages of a delete into steps of about `size` keys. The keys of a step vanish at one moment. What refers goes in an
 * earlier stage than what it refers to, or in the same step; steps of one stage are independent of each other. Consecutive
 * small stages share a step, so that a long chain costs few; a cycle larger than `size` makes one large step.
 * @returns stages of steps of keys.
 */
export function layOutDeletion(stages: DeletionDecision['stages'], size: number): string[][][] {
  const laidOut: string[][][] = [];
  let shared: string[] = [];
  for (const stage of stages) {
    const weight = stage.reduce((sum, group) => sum + group.length, 0);
    const fits = shared.length > 0 && shared.length + weight <= size;
    if (fits) for (const group of stage) for (const key of group) shared.push(key);
    else if (weight <= size) {
      shared = stage.flat();
      laidOut.push([shared]);
    } else {
      shared = [];
      laidOut.push(cutStage(stage, size));
    }
  }
  return laidOut;
}

function cutStage(stage: readonly (readonly string[])[], size: number): string[][] {
  const steps: string[][] = [];
  let step: string[] = [];
  for (const group of stage) {
    if (step.length === 0 || step.length + group.length > size) {
      step = [];
      steps.push(step);
    }
    for (const key of group) step.push(key);
  }
  return steps;
}
