import { MAX_MISSING_PER_OUTCOME } from '../../domain/limits.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { WorkItem } from '../../services/writes/work-items.ts';
import { toOutcome } from '../../services/writes/write-outcome.ts';
import type { WriterDocument } from '../../store/batches/batches.ts';
import { type NewList, newList, storeLists } from '../../store/items/key-lists.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import type { PendingRegistration } from '../../store/items/pending-items.ts';
import { writeOutcomes } from '../../store/items/write-outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { WriteResult } from './write-items.ts';

/**
 * Stores the outcomes of items of one batch. The missing references of a pending item that its outcome cannot hold are stored first.
 * @param outcomes further outcomes to store; those of the results are added to them.
 * @param isFirst see `writeOutcomes`.
 * @returns the items that have become pending, to be registered.
 */
export async function storeResults(
  database: Database,
  batch: WriterDocument,
  results: Iterable<readonly [WorkItem, WriteResult]>,
  outcomes: Map<number, StoredOutcome>,
  isFirst = false,
): Promise<PendingRegistration[]> {
  const pending: PendingRegistration[] = [];
  const lists: NewList[] = [];
  for (const [item, result] of results) {
    const outcome = outcomeOf(batch, item, result);
    outcomes.set(item.index, outcome);
    if (outcome.status !== 'pending' || result.kind !== 'missing') continue;
    const missing = [...new Set(result.missing.map(({ key }) => key))];
    const isListed = (outcome.missingTotal ?? 0) > MAX_MISSING_PER_OUTCOME;
    const listed = isListed ? newList(`${batch._id}/${item.index}`, missing, batch.run) : undefined;
    if (listed) {
      outcome.missingList = listed.list;
      lists.push(listed);
    }
    pending.push({ key: item.key, index: item.index, missing, list: listed?.list });
  }
  await storeLists(database, lists);
  await writeOutcomes(database, batch, outcomes, isFirst);
  return pending;
}

const outcomeOf = (batch: WriterDocument, item: WorkItem, result: WriteResult): StoredOutcome =>
  result.kind === 'finished' ? result.outcome : toOutcome(batch, item, result);

/** Stores the outcomes of items that have failed, and of no others. */
export const storeFailures =
  (database: Database) =>
  async (results: ReadonlyMap<WorkItem, WriteResult>): Promise<void> => {
    for (const batch of new Set([...results.keys()].map((item) => item.batch))) {
      const own = [...results].flatMap(([item, result]) =>
        item.batch === batch ? [[item.index, outcomeOf(batch, item, result)] as const] : [],
      );
      await writeOutcomes(database, batch, new Map(own.filter(([, { status }]) => status === 'failed')));
    }
  };

/** Keys of resources that items have created. A later attempt finds them again: the first one may have died before it woke all batches. */
export function createdKeys(results: ReadonlyMap<WorkItem, WriteResult>): ResourceKey[] {
  const keys = [...results].flatMap(([item, result]) => {
    const action =
      result.kind === 'finished' ? result.outcome.action : result.kind === 'written' ? result.action : undefined;
    return action === 'created' ? [item.key] : [];
  });
  return [...new Set(keys)];
}
