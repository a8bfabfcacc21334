import { setTimeout as sleep } from 'node:timers/promises';
import { CLOCK_OFF_MS } from '../../domain/clocks.ts';

/**
 * A document whose insert was acknowledged may be out of sight for a moment: a new primary has still to confirm what the old one
 * acknowledged. Who is answered 202 is not to hear 404 after that.
 */

/** Longer than a failover takes until everything acknowledged is in sight, in ms. */
const YOUNG_MS = 10_000;
/** Waits between two reads, in ms: about a second. */
const WAITS_MS: readonly number[] = [40, 80, 160, 320, 400];
/** Callers that read again at a time: whoever makes ids up gets a 404 at once, beyond so many. */
const MOST_AT_ONCE = 100;
let looking = 0;

const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether an id was made a moment ago, by whichever process: UUIDs of version 7 begin with their time in ms. */
export function isYoungId(id: string): boolean {
  if (!VERSION_7.test(id)) return false;
  const age = Date.now() - Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  return Math.abs(age) < YOUNG_MS + CLOCK_OFF_MS;
}

/** Reads again, a few times within a second. */
export async function findAtLast<T>(find: () => Promise<T | null>): Promise<T | null> {
  if (looking >= MOST_AT_ONCE) return null;
  looking += 1;
  try {
    for (const ms of WAITS_MS) {
      await sleep(ms);
      const found = await find();
      if (found !== null) return found;
    }
    return null;
  } finally {
    looking -= 1;
  }
}
