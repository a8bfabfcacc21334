import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';

/** Runs work when few others run. @param limitMs time after which this one no longer counts as running. */
export type FewAtOnce = <T>(limitMs: number, work: () => Promise<T>) => Promise<T>;

/**
 * Lets `width` of all work run side by side, the rest in the order of coming. Work that passes its time limit goes on and makes
 * room: its delivery writes nothing any more (`Delivery.assertInTime`), and may never end.
 */
export function createFewAtOnce(width: number): FewAtOnce {
  const limit = pLimit(width);
  return (limitMs, work) =>
    new Promise((resolve, reject) => {
      void limit(async () => {
        const ended = new AbortController();
        const done = work()
          .then(resolve, reject)
          .finally(() => ended.abort());
        // rejected when the work ends first
        const late = sleep(limitMs, undefined, { signal: ended.signal }).catch(() => undefined);
        await Promise.race([done, late]);
      });
    });
}
