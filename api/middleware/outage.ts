import { AsyncLocalStorage } from 'node:async_hooks';
import { createMiddleware } from 'hono/factory';
import { type Server, serverUnavailable } from '../http/api-error.ts';
import type { ApiEnv } from '../http/context.ts';
import type { Health } from '../state/health.ts';

/**
 * Interval between two checks of the servers that a request waits for, in ms. Together with the timeout of one check, a caller
 * receives its 503 within 5 s.
 */
const CHECK_EVERY_MS = 1_000;

interface Work {
  /** The server whose outage has ended the request. */
  abandonedFor?: Server;
}
const current = new AsyncLocalStorage<Work>();

/** Stops work whose request was answered 503: what was reported as failed does not happen later. */
export function assertAwaited(): void {
  const abandonedFor = current.getStore()?.abandonedFor;
  if (abandonedFor !== undefined) throw serverUnavailable(abandonedFor);
}

/**
 * Waits for some work as long as the servers that it needs answer other calls: a long count continues, a dead connection does not
 * keep its caller waiting. Abandoned work ends at its next command, as if this process had died.
 * @throws DroverError 503 naming the server that does not answer.
 */
export async function whileAnswering<T>(
  health: Health,
  servers: readonly Server[],
  start: () => Promise<T>,
): Promise<T> {
  const work: Work = {};
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const unavailable = new Promise<never>((_, reject) => {
    const check = async (): Promise<void> => {
      const answering = await Promise.all(servers.map((server) => health.isAnswering(server)));
      const missing = servers.find((_, at) => !answering[at]);
      if (isOver) return;
      if (missing === undefined) {
        timer = setTimeout(check, CHECK_EVERY_MS);
        return;
      }
      work.abandonedFor = missing;
      reject(serverUnavailable(missing));
    };
    timer = setTimeout(check, CHECK_EVERY_MS);
  });
  const result = current.run(work, start);
  // a failure after the work was abandoned has no receiver
  result.catch(() => undefined);
  try {
    return await Promise.race([result, unavailable]);
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}

/** Every request waits for MongoDB, and for Temporal with a deadline of its own. */
export const failInOutage = createMiddleware<ApiEnv>((c, next) =>
  whileAnswering(c.var.services.health, ['mongodb'], next),
);
