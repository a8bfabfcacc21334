import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { type DeliveryState, deliverRequest } from '../../services/batches/control-batch.ts';
import { logPostponed } from '../../services/failures.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { undeliveredRequests } from '../../store/batches/to-recover.ts';
import type { ActivityContext } from '../activity-context.ts';
import { isOver, type RecoveryJob } from './job.ts';

/** Batches of one slice, and of them side by side: an outage of Temporal may have left very many. */
const BATCHES_PER_SLICE = 100;
const AT_ONCE = 10;
/** Time that the calls for one batch are given, in ms. */
const TELL_TIMEOUT_MS = 10_000;
const PLACE = 'deliver';

/**
 * Delivers requests to suspend, resume or cancel whose API process died, or could not reach Temporal, after it had stored them.
 * Delivered twice they do what they do once.
 */
export const deliverRequests: RecoveryJob = {
  name: 'deliver',
  everyMs: 5_000,
  run: async (slice) => {
    const { context, places } = slice;
    const batches = await undeliveredRequests(context.database, places.get(PLACE) ?? '', BATCHES_PER_SLICE);
    places.delete(PLACE);
    let delivered = 0;
    let last: BatchDocument | undefined;
    await forEachConcurrently(batches, AT_ONCE, async (batch) => {
      if (isOver(slice)) return;
      last = batch;
      if (await deliver(context, batch)) delivered += 1;
    });
    const isEnd = last === batches.at(-1) && batches.length < BATCHES_PER_SLICE;
    // those that take long do not keep the others waiting: the next slice goes on behind them
    if (!isEnd && last !== undefined) places.set(PLACE, last._id);
    return { recovered: { delivered }, hasMore: !isEnd && !isOver(slice) };
  },
};

/** @returns whether the workflow knows now. */
async function deliver(context: ActivityContext, batch: BatchDocument): Promise<boolean> {
  // one that is not started yet begins with what is asked of it
  if (batch.unstarted) return false;
  try {
    const tell = (): Promise<DeliveryState> => deliverRequest(context, batch);
    return (await context.client.withDeadline(Date.now() + TELL_TIMEOUT_MS, tell)) === 'delivered';
  } catch (error) {
    logPostponed(
      context.logger,
      error,
      { batchId: batch._id },
      'delivering a control request failed; the next pass retries it',
    );
    return false;
  }
}
