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
