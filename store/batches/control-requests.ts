import { randomUUID } from 'node:crypto';
import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn, RUNNING, readBatch } from './batches.ts';

/**
 * A request of a caller that the workflow is told next: stored, so that it holds even where no workflow runs yet, and whoever
 * dies before the workflow knows. @returns null where the batch is finished or gone.
 */
export async function requestControl(
  database: Database,
  batchId: string,
  request: { suspended: boolean } | { cancelRequested: true },
): Promise<BatchDocument | null> {
  const asked = { token: randomUUID(), suspended: 'suspended' in request && request.suspended, told: false };
  return batchesIn(database).findOneAndUpdate(
    { _id: batchId, status: RUNNING, deletedAt: { $exists: false } },
    { $set: { ...request, asked } },
    { returnDocument: 'after' },
  );
}

/**
 * Notes that the workflow was told what `told` asks for.
 * @returns the batch with a later request, of which the workflow is to be told again: it may have come there first.
 */
export async function recordDelivered(database: Database, told: BatchDocument): Promise<BatchDocument | null> {
  const token = told.asked?.token ?? '';
  const { matchedCount } = await batchesIn(database).updateOne(
    { _id: told._id, 'asked.token': token },
    { $set: { 'asked.told': true } },
  );
  if (matchedCount === 1) return null;
  const now = await readBatch(database, told._id);
  return now?.asked === undefined || now.asked.token === token ? null : now;
}
