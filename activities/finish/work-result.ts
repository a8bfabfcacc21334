import { tallyOf } from '../../domain/batch/tally.ts';
import { appendTo } from '../../domain/collections/append-to.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import type { WorkResult } from '../../workflows/messages.ts';

/** The result of an activity for its items. An item without an outcome counts as queued. */
export function toWorkResult(indexes: readonly number[], outcomes: ReadonlyMap<number, StoredOutcome>): WorkResult {
  const pending = new Map<number, number[]>();
  for (const index of indexes) {
    const outcome = outcomes.get(index);
    if (outcome?.status !== 'pending') continue;
    const deadline = outcome.expiresAt.getTime();
    appendTo(pending, deadline, index);
  }
  const waited = indexes.some((index) => {
    const outcome = outcomes.get(index);
    return outcome?.hasWaited !== undefined || outcome?.waitedFor !== undefined;
  });
  return {
    tally: tallyOf(indexes.map((index) => outcomes.get(index) ?? { status: 'queued' as const })),
    pending: [...pending].map(([expiresAt, group]) => ({ expiresAt, indexes: group })),
    ...(waited && { hasWaited: true }),
  };
}
