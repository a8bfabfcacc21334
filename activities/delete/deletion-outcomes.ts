import type { DecidedItems } from '../../isolation/deletes/deletion-steps.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { readOutcomes, type StoredOutcome, type UncountedOutcome } from '../../store/items/outcomes.ts';
import { writeOutcomes } from '../../store/items/write-outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';

/**
 * Stores outcomes that have been decided; the first item of each gets it with one more attempt, the others repeat it. Items
 * that are terminal stay as they are. Safe to repeat.
 */
export async function writeDecided(
  database: Database,
  batch: BatchDocument,
  decided: readonly { readonly indexes: readonly number[]; readonly outcome: UncountedOutcome }[],
): Promise<void> {
  if (decided.length === 0) return;
  const before = await readOutcomes(
    database,
    batch,
    decided.flatMap(({ indexes }) => [...indexes]),
  );
  const outcomes = new Map<number, StoredOutcome>();
  for (const { indexes, outcome } of decided) {
    for (const [at, index] of indexes.entries()) {
      const attempts = (before.get(index)?.attempts ?? 0) + 1;
      outcomes.set(index, { ...outcome, attempts, ...(at > 0 && { repeat: true }) });
    }
  }
  await writeOutcomes(database, batch, outcomes);
}

/** What is decided of items by finished ones that they repeat: the same. @param repeats of each such item, its index and that of the finished one. */
export async function repeatsOf(
  database: Database,
  batch: BatchDocument,
  repeats: readonly { readonly index: number; readonly first: number }[],
): Promise<DecidedItems[]> {
  if (repeats.length === 0) return [];
  const outcomes = await readOutcomes(
    database,
    batch,
    repeats.map(({ first }) => first),
  );
  return repeats.flatMap(({ index, first }) => {
    const outcome = outcomes.get(first);
    return outcome ? [{ indexes: [index], outcome: { ...outcome, repeat: true } }] : [];
  });
}
