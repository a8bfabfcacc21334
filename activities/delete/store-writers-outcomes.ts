import { appendTo } from '../../domain/collections/append-to.ts';
import { wroteOf } from '../../services/writes/write-outcome.ts';
import { finishedBatches, readBatches } from '../../store/batches/batches.ts';
import { readOutcomes, type StoredOutcome } from '../../store/items/outcomes.ts';
import { writeOutcomes } from '../../store/items/write-outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { ResourceDocument, WriteEntry } from '../../store/resources.ts';

/**
 * Stores the outcomes of the items that have written these resources, before the resources and their write records are removed: a
 * writer that is delivered again finds the outcomes, and does not write again a resource that was deleted since (invariant 2). The resources are
 * marked, so no record is added meanwhile.
 */
export async function storeWritersOutcomes(
  database: Database,
  documents: readonly Pick<ResourceDocument, 'id' | 'writes'>[],
): Promise<void> {
  const byBatch = new Map<string, (WriteEntry & { life: string })[]>();
  for (const { id, writes } of documents) {
    for (const entry of writes) {
      appendTo(byBatch, entry.batchId, { ...entry, life: id });
    }
  }
  const finished = await finishedBatches(database, [...byBatch.keys()]);
  for (const batch of await readBatches(
    database,
    [...byBatch.keys()].filter((id) => !finished.has(id)),
  )) {
    const entries = byBatch.get(batch._id) ?? [];
    const before = await readOutcomes(
      database,
      batch,
      entries.map(({ index }) => index),
    );
    const outcomes = new Map<number, StoredOutcome>();
    for (const { index, action, version, life } of entries) {
      const known = before.get(index);
      const attempts = known?.status === 'pending' ? known.attempts : (known?.attempts ?? 0) + 1;
      outcomes.set(index, { status: 'succeeded', action, attempts, ...wroteOf(batch, { action, version, life }) });
    }
    await writeOutcomes(database, batch, outcomes);
  }
}
