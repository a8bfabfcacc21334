import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { type DeliveryState, deliverRequest } from '../../services/batches/control-batch.ts';
import { logPostponed } from '../../services/failures.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { undeliveredRequests } from '../../store/batches/to-recover.ts';
import type { ActivityContext } from '../activity-context.ts';
import { isOver, type RecoveryJob } from './job.ts';

/** Batches of one portion, and how many of them run at a time: an outage of Temporal may have left very many. */
const BATCHES_PER_PORTION = 100;
const AT_ONCE = 10;
/** Timeout of the calls for one batch, in ms. */
const DELIVERY_TIMEOUT_MS = 10_000;
const PLACE = 'deliver';

/**
 * Delivers suspend, resume and cancel requests whose API process died, or could not reach Temporal, after it had stored them.
 * A request that is delivered twice has its effect once.
 */
export const deliverRequests: RecoveryJob = {
  name: 'deliver',
  everyMs: 5_000,
  run: async (portion) => {
    const { context, places } = portion;
    const batches = await undeliveredRequests(context.database, places.get(PLACE) ?? '', BATCHES_PER_PORTION);
    places.delete(PLACE);
    let delivered = 0;
    let last: BatchDocument | undefined;
    await forEachConcurrently(batches, AT_ONCE, async (batch) => {
      if (isOver(portion)) return;
      last = batch;
      if (await deliver(context, batch)) delivered += 1;
    });
    const isEnd = last === batches.at(-1) && batches.length < BATCHES_PER_PORTION;
    // slow deliveries do not delay the others: the next portion continues after them
    if (!isEnd && last !== undefined) places.set(PLACE, last._id);
    return { recovered: { delivered }, hasMore: !isEnd && !isOver(portion) };
  },
};

/** @returns whether the workflow knows the request now. */
async function deliver(context: ActivityContext, batch: BatchDocument): Promise<boolean> {
  // a batch that is not started yet begins with its control requests
  if (batch.unstarted) return false;
  try {
    const send = (): Promise<DeliveryState> => deliverRequest(context, batch);
    return (await context.client.withDeadline(Date.now() + DELIVERY_TIMEOUT_MS, send)) === 'delivered';
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
