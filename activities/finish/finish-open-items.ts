import { writesResources } from '../../domain/batch/batch.ts';
import type { ItemAction, ItemError } from '../../domain/batch/outcome.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { blocked } from '../../isolation/attempts/attempt.ts';
import { recordedWrites } from '../../isolation/resources/write-records.ts';
import { wroteOf } from '../../services/writes/write-outcome.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { keysOfItems } from '../../store/items/item-pages.ts';
import { hasWaited, readOutcomes, type StoredOutcome } from '../../store/items/outcomes.ts';
import { releasePending } from '../../store/items/pending-items.ts';
import { writeOutcomes } from '../../store/items/write-outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** Identities that items have created, according to their outcomes. */
export async function createdKeysOf(
  database: Database,
  batch: BatchDocument,
  outcomes: ReadonlyMap<number, StoredOutcome>,
): Promise<ResourceKey[]> {
  // what was only checked creates nothing
  if (batch.validateOnly) return [];
  const created = [...outcomes].flatMap(([index, { action }]) => (mayCreate(action) ? [index] : []));
  return created.length === 0 ? [] : (await keysOfItems(database, batch, created)).map(({ key }) => key);
}

/** Whether an item with this action may have made a resource appear: one that is reverted was there before, or was created again. */
const mayCreate = (action: ItemAction | undefined): boolean => action === 'created' || action === 'reverted';

/**
 * Gives items that no activity will apply any more their terminal outcome (invariant 1). An item whose effect is stored has
 * succeeded, even if the activity that applied it died (invariant 2); the others get `status` and `error`.
 * @returns the identities that these items have created: batches that wait for one may not have been signalled.
 * @throws a retryable failure while another batch is applying one of them.
 */
export async function finishOpenItems(
  database: Database,
  batch: BatchDocument,
  indexes: readonly number[],
  status: 'failed' | 'cancelled',
  error: ItemError,
): Promise<ResourceKey[]> {
  if (indexes.length === 0) return [];
  const before = await readOutcomes(database, batch, indexes);
  const keys = writesResources(batch.operation) ? await keysOfItems(database, batch, indexes) : [];
  const pending = keys.filter(({ index }) => before.get(index)?.status === 'pending');
  const claimed = await releasePending(database, batch, pending);
  if (claimed.size > 0) throw blocked('another batch is applying pending items of this one');
  const applied = await recordedWrites(database, batch._id, keys);
  const outcomes = new Map<number, StoredOutcome>();
  for (const index of indexes) {
    const attempts = before.get(index)?.attempts ?? 0;
    const waited = hasWaited(before.get(index));
    const write = applied.get(index);
    if (write) outcomes.set(index, { ...succeededBy(batch, write), attempts: Math.max(1, attempts), ...waited });
    else outcomes.set(index, { status, errors: [error], attempts, ...waited });
  }
  await writeOutcomes(database, batch, outcomes);
  return keys.flatMap(({ key, index }) => (mayCreate(applied.get(index)?.action) ? [key] : []));
}

/**
 * Stores the outcomes of items whose effect is stored, and whose activity died before it could store them (invariant 2).
 * @returns these outcomes, and the identities that the items have created.
 */
export async function finishApplied(
  database: Database,
  batch: BatchDocument,
  indexes: readonly number[],
): Promise<{ outcomes: Map<number, StoredOutcome>; created: ResourceKey[] }> {
  const [before, keys] = [await readOutcomes(database, batch, indexes), await keysOfItems(database, batch, indexes)];
  const outcomes = new Map<number, StoredOutcome>();
  for (const [index, write] of await recordedWrites(database, batch._id, keys)) {
    const known = before.get(index);
    const attempts = known?.status === 'pending' ? known.attempts : (known?.attempts ?? 0) + 1;
    outcomes.set(index, { ...succeededBy(batch, write), attempts, ...hasWaited(known) });
  }
  await writeOutcomes(database, batch, outcomes);
  return { outcomes, created: await createdKeysOf(database, batch, outcomes) };
}

const succeededBy = (batch: BatchDocument, write: Parameters<typeof wroteOf>[1]) =>
  ({ status: 'succeeded', action: write.action, ...wroteOf(batch, write) }) as const;
