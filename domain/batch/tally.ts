import type { Actions, Counts, ItemAction, ItemError, ItemErrorCode, ItemStatus } from './outcome.ts';

/** The outcomes of some items, as numbers: all that a workflow learns of them (invariant 7). */
export interface Tally {
  readonly counts: Partial<Counts>;
  readonly actions: Partial<Actions>;
  readonly errorCodes: Partial<Record<ItemErrorCode, number>>;
}

interface TalliedOutcome {
  readonly status: ItemStatus;
  readonly action?: ItemAction;
  readonly errors?: readonly ItemError[];
  /** The item repeats an earlier item of its batch, where its action was counted. */
  readonly repeat?: boolean;
}

/** Counts outcomes: each item once by status and action, and once for each of its error codes. */
export function tallyOf(outcomes: Iterable<TalliedOutcome>): Tally {
  const counts: Partial<Counts> = {};
  const actions: Partial<Actions> = {};
  const errorCodes: Partial<Record<ItemErrorCode, number>> = {};
  for (const { status, action, errors, repeat } of outcomes) {
    counts[status] = (counts[status] ?? 0) + 1;
    if (action !== undefined && !repeat) actions[action] = (actions[action] ?? 0) + 1;
    for (const code of new Set(errors?.map((error) => error.code))) errorCodes[code] = (errorCodes[code] ?? 0) + 1;
  }
  return { counts, actions, errorCodes };
}

/** Adds a tally to sums. */
export function addTally(sums: Tally, { counts, actions, errorCodes }: Tally): void {
  addInto(sums.counts, counts);
  addInto(sums.actions, actions);
  addInto(sums.errorCodes, errorCodes);
}

/** Adds `more` to `sums`, or subtracts it with `sign` -1. */
export function addInto<K extends string>(
  sums: Partial<Record<K, number>>,
  more: Partial<Record<K, number>>,
  sign: 1 | -1 = 1,
): void {
  for (const key in more) sums[key] = (sums[key] ?? 0) + sign * (more[key] ?? 0);
}
