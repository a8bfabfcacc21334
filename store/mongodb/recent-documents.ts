import { setTimeout as sleep } from 'node:timers/promises';
import { CLOCK_OFF_MS } from '../../domain/clocks.ts';

/**
 * Reads of documents that were inserted a moment ago. After a failover a read may miss a document whose insert was acknowledged: a
 * new primary has yet to confirm what the old one acknowledged. A caller that was answered 202 must not receive a 404 after that, so
 * a document with a recent id is read again a few times before it counts as absent.
 */

/** Longer than a failover takes until reads see everything that was acknowledged, in ms. */
const RECENT_MS = 10_000;
/** Waits between two reads, in ms: about a second. */
const WAITS_MS: readonly number[] = [40, 80, 160, 320, 400];
/** Callers that read again at a time: beyond so many, a caller that invents ids gets its 404 at once. */
const MAX_WAITING = 100;
let waiting = 0;

const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether an id was made a moment ago, by whichever process: UUIDs of version 7 begin with their time in ms. */
export function isRecentId(id: string): boolean {
  if (!VERSION_7.test(id)) return false;
  const age = Date.now() - Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  return Math.abs(age) < RECENT_MS + CLOCK_OFF_MS;
}

/** Reads again, several times within a second, until the document is found. */
export async function findWithRetries<T>(find: () => Promise<T | null>): Promise<T | null> {
  if (waiting >= MAX_WAITING) return null;
  waiting += 1;
  try {
    for (const ms of WAITS_MS) {
      await sleep(ms);
      const found = await find();
      if (found !== null) return found;
    }
    return null;
  } finally {
    waiting -= 1;
  }
}
