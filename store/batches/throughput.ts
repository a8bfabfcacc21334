import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import type { FinishedBatch } from '../../domain/batch/throughput.ts';
import type { Database } from '../mongodb/database.ts';
import { batchesIn } from './batches.ts';

/** Batches of these scopes that have finished since a time, the last ones first. One that is retried counts with its last end. */
export async function finishedSince(
  database: Database,
  scopes: readonly Scope[],
  since: Date,
  limit: number,
): Promise<FinishedBatch[]> {
  const found = await batchesIn(database)
    .find(
      { scope: { $in: scopes.map(scopeKey) }, completedAt: { $gte: since } },
      { projection: { completedAt: 1, 'result.counts': 1 } },
    )
    .sort({ completedAt: -1 })
    .limit(limit)
    .toArray();
  return found.flatMap(({ completedAt, result }) => (completedAt ? [{ completedAt, counts: result?.counts }] : []));
}
