import { isRetried } from '../../domain/batch/batch.ts';
import type { BatchDocument } from '../batches/batches.ts';
import type { Database } from '../mongodb/database.ts';
import { pageId, pagesWith } from './item-pages.ts';
import { outcomePagesIn, type StoredOutcome } from './outcomes.ts';
import { groupByPage, type OutcomeWriter } from './write-outcomes.ts';

type RetriedBatch = Pick<OutcomeWriter, '_id' | 'run' | 'pageSize'> & Pick<BatchDocument, 'operation'>;

/**
 * Requeues terminal outcomes for a retry, keeping the count of attempts: each page once in a run, so that a late attempt
 * changes nothing. From then on an earlier run writes nothing to the page. A page that has changed since it was read is read again.
 */
export async function requeueOutcomes(
  database: Database,
  batch: RetriedBatch,
  outcomes: ReadonlyMap<number, StoredOutcome>,
): Promise<void> {
  const operations = [...groupByPage(outcomes, batch.pageSize)].map(([page, entries]) => ({
    updateOne: {
      filter: {
        _id: pageId(batch._id, page),
        run: { $not: { $gte: batch.run } },
        ...Object.fromEntries(entries.map(([index, { status }]) => [`outcomes.${index}.status`, status])),
      },
      update: {
        $set: {
          run: batch.run,
          ...Object.fromEntries(
            entries.map(([index, { attempts }]) => [`outcomes.${index}`, { status: 'queued' as const, attempts }]),
          ),
        },
      },
    },
  }));
  if (operations.length === 0) return;
  const { matchedCount } = await outcomePagesIn(database).bulkWrite(operations, { ordered: false });
  if (matchedCount < operations.length)
    await requeueOutcomes(database, batch, await notRequeued(database, batch, outcomes));
}

/** The outcomes that a retry runs again. */
export const toRequeue = (
  { operation }: Pick<BatchDocument, 'operation'>,
  outcomes: Iterable<readonly [number, StoredOutcome]>,
): Map<number, StoredOutcome> => new Map([...outcomes].filter(([, { status }]) => isRetried(operation, status)));

/** The outcomes that are still to be requeued, as they are stored now, in the pages that this run has not requeued. */
async function notRequeued(
  database: Database,
  batch: RetriedBatch,
  outcomes: ReadonlyMap<number, StoredOutcome>,
): Promise<Map<number, StoredOutcome>> {
  const ids = pagesWith(batch, [...outcomes.keys()]).map((page) => pageId(batch._id, page));
  const pages = await outcomePagesIn(database)
    .find({ _id: { $in: ids } })
    .toArray();
  const left = pages.filter(({ run }) => (run ?? 0) < batch.run);
  return toRequeue(
    batch,
    left.flatMap((page) => Object.entries(page.outcomes).map(([index, outcome]) => [Number(index), outcome] as const)),
  );
}
