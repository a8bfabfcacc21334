import type { Database } from '../mongodb/database.ts';
import { KEYS_PER_QUERY, parts } from '../mongodb/parts.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';
import { type BatchDocument, batchesIn } from './batches.ts';

/** Every batch, without the errors of its items. */
export const scanBatches = (database: Database): Scan<BatchDocument> =>
  scanOf(batchesIn(database), { errorDetails: 0, events: 0 }, 200);

/** What other documents of a batch are compared with. */
export type BatchState = Pick<
  BatchDocument,
  '_id' | 'status' | 'run' | 'pageSize' | 'deletedAt' | 'claimOwners' | 'claims'
>;

/** The batches with these ids that there are. */
export async function batchStates(database: Database, ids: Iterable<string>): Promise<Map<string, BatchState>> {
  const states = new Map<string, BatchState>();
  for (const some of parts([...new Set(ids)], KEYS_PER_QUERY)) {
    const found = await batchesIn(database)
      .find({ _id: { $in: some } })
      .project<BatchState>({ status: 1, run: 1, pageSize: 1, deletedAt: 1, claimOwners: 1, claims: 1 })
      .toArray();
    for (const batch of found) states.set(batch._id, batch);
  }
  return states;
}
