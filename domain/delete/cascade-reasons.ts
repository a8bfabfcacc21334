import { type Computation, STEPS_PER_YIELD } from '../collections/run-yielding.ts';
import { isDeleted, type NumberedDecision } from './decide-deletion.ts';

/** The reasons why the cascade deletes a resource: a few of the deleted resources that it refers to. */
const MAX_REASONS = 3;

/** Reasons of numbered resources, `MAX_REASONS` places each: the number + 1 of a target of the resource, 0 for an empty place. */
export type CascadeReasons = Uint32Array;

/** @param targets 1 for each number that was requested: it needs no reason. */
export function* cascadeReasons(decision: NumberedDecision, targets: Uint8Array): Computation<CascadeReasons> {
  const { first, referrers } = decision.referrers;
  const reasons = new Uint32Array(targets.length * MAX_REASONS);
  for (let n = 0; n < targets.length; n++) {
    if (n % STEPS_PER_YIELD === 0) yield;
    if (!isDeleted(decision, n)) continue;
    const last = first[n + 1] ?? 0;
    for (let place = first[n] ?? 0; place < last; place++) {
      if (place % STEPS_PER_YIELD === 0) yield;
      const referrer = referrers[place] ?? 0;
      if (targets[referrer] !== 1) addReason(reasons, referrer, n);
    }
  }
  return reasons;
}

function addReason(reasons: CascadeReasons, referrer: number, n: number): void {
  const start = referrer * MAX_REASONS;
  for (let at = start; at < start + MAX_REASONS; at++) {
    if (reasons[at] !== 0) continue;
    reasons[at] = n + 1;
    return;
  }
}

export function* reasonsOf(reasons: CascadeReasons, n: number): Generator<number> {
  for (const reason of reasons.subarray(n * MAX_REASONS, (n + 1) * MAX_REASONS)) if (reason > 0) yield reason - 1;
}
