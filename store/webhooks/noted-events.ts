import { type NotedEvent, noted, noting } from '../../domain/webhooks/noted-event.ts';
import { type BatchDocument, batchesIn, RUNNING } from '../batches/batches.ts';
import type { Database } from '../mongodb/database.ts';

/** Notes that only items are left that wait, once in a run: a batch may wait and go on many times. Safe to repeat. */
export async function noteWaiting(
  database: Database,
  { batchId, run }: { readonly batchId: string; readonly run: number },
  event: NotedEvent,
): Promise<boolean> {
  const { matchedCount } = await batchesIn(database).updateOne(
    { _id: batchId, run, status: RUNNING, waitingNoted: { $ne: run } },
    { $set: { waitingNoted: run, ...noted(event) }, ...noting(event) },
  );
  return matchedCount === 1;
}

/** Batches with events of which no messages were made by `asOf`. */
export async function batchesWithEvents(database: Database, asOf: Date, limit: number): Promise<BatchDocument[]> {
  return batchesIn(database)
    .find({ hasEvents: true, eventsDue: { $lte: asOf } })
    .sort({ eventsDue: 1 })
    .limit(limit)
    .toArray();
}

/** The messages of these events are made; an event that was noted since then stays, however late this lands. */
export async function forgetBatchEvents(database: Database, { _id, events = [] }: BatchDocument): Promise<void> {
  await batchesIn(database).updateOne({ _id }, { $pull: { events: { id: { $in: events.map(({ id }) => id) } } } });
  await batchesIn(database).updateOne(
    { _id, events: { $size: 0 } },
    { $unset: { events: '', hasEvents: '', eventsDue: '' } },
  );
}
