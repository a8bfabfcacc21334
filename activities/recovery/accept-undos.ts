import { timeOf } from '../../services/batches/accept-batch.ts';
import { logPostponed } from '../../services/failures.ts';
import { acceptUndo } from '../../services/undo/undo-batch.ts';
import { unacceptedUndos } from '../../store/batches/undone.ts';
import { isOver, type RecoveryJob } from './job.ts';

const PER_PORTION = 20;
/** Time in which the process that has claimed a batch accepts its undo, in ms. */
const GRACE_MS = 30_000;

/** Inserts the undos of batches that are claimed, if the process that has claimed them died before it did (invariant 1); another job starts them. */
export const acceptUndos: RecoveryJob = {
  name: 'undo',
  everyMs: 5_000,
  run: async (portion) => {
    const { context, places } = portion;
    const batches = await unacceptedUndos(context.database, places.get('undo') ?? '', PER_PORTION);
    let inserted = 0;
    for (const batch of batches) {
      if (isOver(portion)) break;
      places.set('undo', batch._id);
      const age = Date.now() - timeOf(batch.undoneBy ?? '').getTime();
      if (age < GRACE_MS && !portion.isAtOnce) continue;
      try {
        await acceptUndo(context.database, batch);
        inserted += 1;
      } catch (error) {
        logPostponed(
          context.logger,
          error,
          { batchId: batch._id },
          'accepting an undo failed; the next pass retries it',
        );
      }
    }
    const hasMore = batches.length === PER_PORTION;
    if (!hasMore) places.delete('undo');
    return { recovered: { inserted }, hasMore: hasMore && !isOver(portion) };
  },
};
