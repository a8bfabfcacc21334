import { type Told, tellWorkflow } from '../../services/control-batch.ts';
import { undeliveredRequests } from '../../store/batches-to-recover.ts';
import { isOver, NOTHING_DONE, type RecoveryJob } from './job.ts';

const BATCHES_PER_SLICE = 100;
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
    for (const [at, batch] of batches.entries()) {
      if (isOver(slice)) {
        // those that take long do not keep the others waiting: the next slice goes on behind them
        const before = batches[at - 1];
        if (before !== undefined) places.set(PLACE, before._id);
        return { recovered: { delivered }, hasMore: false };
      }
      // one that is not started yet begins with what is asked of it
      if (batch.unstarted) continue;
      try {
        const tell = (): Promise<Told> => tellWorkflow(context, batch);
        const told = await context.client.withDeadline(Date.now() + TELL_TIMEOUT_MS, tell);
        if (told === 'told') delivered += 1;
      } catch (error) {
        context.logger.warn({ batchId: batch._id, err: error }, 'a request could not be delivered to a batch');
      }
    }
    const last = batches.at(-1);
    if (batches.length < BATCHES_PER_SLICE || last === undefined)
      return delivered > 0 ? { recovered: { delivered }, hasMore: false } : NOTHING_DONE;
    places.set(PLACE, last._id);
    return { recovered: { delivered }, hasMore: true };
  },
};
