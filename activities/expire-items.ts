import { readBatch } from '../store/batches.ts';
import { releasePending } from '../store/dependencies.ts';
import { readOutcomes, type StoredOutcome, writeOutcomes } from '../store/outcome-pages.ts';
import { type ItemsOfBatch, type WorkResult, workResult } from './apply-items.ts';
import type { Dependencies } from './dependencies.ts';
import { keysOfItems } from './settle-leftovers.ts';

/**
 * Ends the wait of pending items whose deadline has passed. One that another batch is carrying out with its own is left to it.
 * The workflow has looked before: what could go ahead has gone.
 * @param input `asOf`: the workflow's time, in ms since 1970; deadlines up to it have passed.
 */
export async function expireItems(
  { database }: Dependencies,
  input: ItemsOfBatch & { readonly asOf: number },
): Promise<WorkResult> {
  const batch = await readBatch(database, input.batchId);
  if (batch === null || batch.run !== input.run) return workResult([], new Map());
  const outcomes = await readOutcomes(database, batch, input.indexes);
  const due = input.indexes.filter((index) => {
    const outcome = outcomes.get(index);
    return outcome?.status === 'pending' && (outcome.expiresAt?.getTime() ?? 0) <= input.asOf;
  });
  const keys = await keysOfItems(database, batch, due);
  const claimed = await releasePending(database, batch._id, keys);
  const expired = new Map<number, StoredOutcome>();
  for (const index of due) {
    const outcome = outcomes.get(index);
    if (outcome === undefined || claimed.has(index)) continue;
    const named = (outcome.missing ?? []).map(({ schemaName, externalId }) => `${schemaName} "${externalId}"`);
    const message = `waited until ${outcome.expiresAt?.toISOString()} for ${named.slice(0, 10).join(', ')}`;
    expired.set(index, {
      status: 'expired',
      errors: [{ code: 'dependency_expired', message }],
      ...(outcome.missing && { missing: outcome.missing }),
      ...(outcome.waitedFor && { waitedFor: outcome.waitedFor }),
      attempts: outcome.attempts,
    });
  }
  await writeOutcomes(database, batch, expired);
  return workResult(input.indexes, await readOutcomes(database, batch, input.indexes));
}
