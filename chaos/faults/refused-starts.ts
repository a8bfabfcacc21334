import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import type { Random } from '../workload/random.ts';

/** Only a start names it: batches that run do not miss it. */
const ATTRIBUTE = 'DroverSchema';
/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2;
const NAMESPACE = 'default';
/** Longest time for which it is absent, in ms: longer than the server takes to notice. */
const MAX_ABSENT_MS = 12_000;
const MIN_ABSENT_MS = 4_000;
const MAX_FIRST_MS = 30_000;
const CALL_TIMEOUT_MS = 5_000;
const RETRY_MS = 500;

/**
 * Makes Temporal refuse every start for a while, at random times, `meanMs` apart on average, by removing a search attribute. Accepted
 * batches are started by recovery when the attribute is back; in between no batch is accepted. At the end the attribute is there.
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
      // the first time soon, so that it happens in every run
      await pause(Math.min(random.exponential(meanMs), times === 0 ? MAX_FIRST_MS : Number.POSITIVE_INFINITY));
      if (stopped.aborted) break;
      if (!(await attempt(connection, 'remove'))) continue;
      times += 1;
      await pause(random.integer(MIN_ABSENT_MS, MAX_ABSENT_MS));
      // the server may have been killed meanwhile: it comes back
      while (!(await attempt(connection, 'add'))) await sleep(RETRY_MS);
    }
  } finally {
    await connection.close();
  }
  return times;
}

/** @returns whether the server has applied it, or it was so already. */
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
