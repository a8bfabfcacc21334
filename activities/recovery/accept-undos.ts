import { logPostponed } from '../../services/failures.ts';
import { acceptUndo } from '../../services/undo/undo-batch.ts';
import { unacceptedUndos } from '../../store/batches/undone.ts';
import { isOver, type RecoveryJob } from './job.ts';

const PER_PORTION = 20;

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
