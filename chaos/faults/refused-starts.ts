import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import type { Random } from '../workload/random.ts';

/** Only a start names it: batches that run do not miss it. */
const ATTRIBUTE = 'DroverSchema';
/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2;
const NAMESPACE = 'default';
/** Longest time that it is away, in ms: longer than the server takes to notice. */
const MAX_AWAY_MS = 12_000;
const MIN_AWAY_MS = 4_000;
const MAX_FIRST_MS = 30_000;
const CALL_TIMEOUT_MS = 5_000;
const RETRY_MS = 500;

/**
 * Has Temporal refuse every start for a while now and then, `meanMs` apart: it lacks a search attribute. What was accepted is
 * started when the attribute is back, by recovery; in between nothing is accepted. Ends with the attribute there.
 */
export async function refuseStarts(
  { address, random, meanMs }: { readonly address: string; readonly random: Random; readonly meanMs: number },
  stopped: AbortSignal,
): Promise<number> {
  const connection = Connection.lazy({ address });
  const pause = (ms: number) => sleep(ms, undefined, { signal: stopped }).catch(() => undefined);
  let times = 0;
  try {
    while (!stopped.aborted) {
      // the first time soon, so that it belongs to every run
      await pause(Math.min(random.exponential(meanMs), times === 0 ? MAX_FIRST_MS : Number.POSITIVE_INFINITY));
      if (stopped.aborted) break;
      if (!(await attempt(connection, 'remove'))) continue;
      times += 1;
      await pause(random.integer(MIN_AWAY_MS, MAX_AWAY_MS));
      // the server may have been killed meanwhile: it comes back
      while (!(await attempt(connection, 'add'))) await sleep(RETRY_MS);
    }
  } finally {
    await connection.close();
  }
  return times;
}

/** @returns whether the server has taken it; that it is so already counts. */
async function attempt(connection: Connection, what: 'add' | 'remove'): Promise<boolean> {
  const { operatorService } = connection;
  try {
    await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
      const { customAttributes } = await operatorService.listSearchAttributes({ namespace: NAMESPACE });
      const isThere = ATTRIBUTE in (customAttributes ?? {});
      if (what === 'remove' && isThere)
        await operatorService.removeSearchAttributes({ namespace: NAMESPACE, searchAttributes: [ATTRIBUTE] });
      if (what === 'add' && !isThere)
        await operatorService.addSearchAttributes({ namespace: NAMESPACE, searchAttributes: { [ATTRIBUTE]: KEYWORD } });
    });
    return true;
  } catch {
    return false;
  }
}
