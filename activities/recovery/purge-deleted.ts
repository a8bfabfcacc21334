import { DAY_MS } from '../../domain/clocks.ts';
import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { purgeBatch } from '../../services/batches/purge-batch.ts';
import { logPostponed } from '../../services/failures.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { type DeletedPlace, deletedBatches, markExpired, nextRetention } from '../../store/batches/to-recover.ts';
import type { ActivityContext } from '../activity-context.ts';
import { recoverBatch } from './finish-lost.ts';
import { isOver, type Portion, type PortionResult, type RecoveryJob } from './job.ts';

const BATCHES_PER_PORTION = 100;
const AT_ONCE = 4;
/** A workflow whose end was requested has time until the next portion. */
const NO_WAIT_MS = 0;
/** Timeout of the calls for one batch, in ms. */
const PURGE_TIMEOUT_MS = 30_000;

/** Removes for good the batches that callers have deleted, in the order of their requests, by the run ids that are stored with them. */
export class PurgeDeleted implements RecoveryJob {
  readonly name = 'purge';
  readonly everyMs = 10_000;
  #after: DeletedPlace | null = null;

  async run(portion: Portion): Promise<PortionResult> {
    const batches = await deletedBatches(portion.context.database, this.#after, BATCHES_PER_PORTION);
    const recovered = { purged: 0, finished: 0 };
    let last: BatchDocument | undefined;
    await forEachConcurrently(batches, AT_ONCE, async (batch) => {
      if (isOver(portion)) return;
      last = batch;
      const outcome = await purgeOrLeave(portion.context, batch);
      if (outcome !== null) recovered[outcome] += 1;
    });
    // batches that could not be removed are tried again after all others: they do not delay them
    const isEnd = last === batches.at(-1) && batches.length < BATCHES_PER_PORTION;
    this.#after = isEnd ? null : (placeOf(last) ?? this.#after);
    return { recovered, hasMore: !isEnd && !isOver(portion) };
  }
}

const placeOf = (batch: BatchDocument | undefined): DeletedPlace | null =>
  batch?.deletedAt === undefined ? null : { at: batch.deletedAt, id: batch._id };

async function purgeOrLeave(context: ActivityContext, batch: BatchDocument): Promise<'purged' | 'finished' | null> {
  const { client } = context;
  const purge = (): Promise<boolean> =>
    client.withDeadline(Date.now() + PURGE_TIMEOUT_MS, () => purgeBatch(context, batch, NO_WAIT_MS));
  try {
    if (await purge()) return 'purged';
    // Its workflow was terminated: its waits, and batches that wait for it, are finished before it is removed.
    if ((await recoverBatch(context, batch)) !== 'finished') return null;
    return (await purge()) ? 'purged' : 'finished';
  } catch (error) {
    logPostponed(context.logger, error, { batchId: batch._id }, 'removing a batch failed; the next pass retries it');
    return null;
  }
}

/** Marks finished batches as deleted after their retention: that of the installation, or the one that they have asked for. */
export const expireBatches: RecoveryJob = {
  name: 'expire',
  everyMs: 60_000,
  run: async ({ context: { database, retentionDays } }) => {
    const expire = (asked: number | null, days: number): Promise<number> =>
      markExpired(database, asked, new Date(Date.now() - days * DAY_MS), BATCHES_PER_PORTION);
    let expired = retentionDays === 0 ? 0 : await expire(null, retentionDays);
    // 0 keeps a batch for ever
    for (let days = await nextRetention(database, 0); days !== null; days = await nextRetention(database, days))
      expired += await expire(days, days);
    return { recovered: {}, hasMore: expired > 0 };
  },
};
