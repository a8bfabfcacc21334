import { unboundTarget } from '../../domain/schema/unbound-key.ts';
import { presentKeys } from '../../isolation/resources/targets.ts';
import { wakeWaiting } from '../../services/batches/wake-waiting.ts';
import { waitsAfter } from '../../store/items/waits.ts';
import { NOTHING_DONE, type RecoveryJob } from './job.ts';

const WAITS_PER_PORTION = 1_000;
/** Time from the end of one pass to the next, and between two portions of one, in ms. */
const REST_MS = 60_000;
const PACE_MS = 100;
const PLACE = 'waits';

/**
 * Wakes batches that wait for a resource that exists: a safety net under invariant 5. The activity that creates a resource wakes the batches that
 * wait for it; but a worker of a build before `waits` searches for them elsewhere, while both builds run side by side.
 */
export const checkWaits: RecoveryJob = {
  name: 'waits',
  everyMs: REST_MS,
  paceMs: PACE_MS,
  run: async ({ context, places }) => {
    const { database } = context;
    const page = await waitsAfter(database, places.get(PLACE) ?? '', WAITS_PER_PORTION);
    const last = page.at(-1);
    if (last === undefined) {
      places.delete(PLACE);
      return NOTHING_DONE;
    }
    // new definitions are handled by a job of their own
    const keys = [...new Set(page.map(({ key }) => key))].filter((key) => unboundTarget(key) === null);
    await wakeWaiting(context, await presentKeys(database, keys));
    places.set(PLACE, last._id);
    return { recovered: {}, hasMore: true };
  },
};
