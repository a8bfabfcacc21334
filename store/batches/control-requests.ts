import { randomUUID } from 'node:crypto';
import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn, RUNNING, readBatch } from './batches.ts';

/** A caller's request for a running batch: to suspend, resume or cancel it. */
export type ControlRequest =
  | { readonly suspended: boolean; readonly cancelRequested?: never }
  | { readonly cancelRequested: true; readonly suspended?: never };

/**
 * Stores a control request, which is then delivered to the workflow: it takes effect even if no workflow runs yet, and whatever process dies
 * before the workflow knows. @returns null if the batch is finished or does not exist any more.
 */
export async function requestControl(
  database: Database,
  batchId: string,
  request: ControlRequest,
  bulk?: string,
): Promise<BatchDocument | null> {
  const asked = { token: randomUUID(), suspended: request.suspended ?? false, told: false };
  return batchesIn(database).findOneAndUpdate(
    { _id: batchId, status: RUNNING, deletedAt: { $exists: false } },
    { $set: { ...request, asked, ...(bulk !== undefined && { bulk }) } },
    { returnDocument: 'after' },
  );
}

/**
 * Notes that the request of `delivered` is delivered to the workflow.
 * @returns the batch with a later request, which has to be delivered again: it may have reached the workflow first.
 */
export async function recordDelivered(database: Database, delivered: BatchDocument): Promise<BatchDocument | null> {
  const token = delivered.asked?.token ?? '';
  const { matchedCount } = await batchesIn(database).updateOne(
    { _id: delivered._id, 'asked.token': token },
    { $set: { 'asked.told': true } },
  );
  if (matchedCount === 1) return null;
  const now = await readBatch(database, delivered._id);
  return now?.asked === undefined || now.asked.token === token ? null : now;
}
