import { AsyncLocalStorage } from 'node:async_hooks';
import { createMiddleware } from 'hono/factory';
import { type Server, serverUnavailable } from '../http/api-error.ts';
import type { ApiEnv } from '../http/context.ts';
import type { Health } from '../state/health.ts';

/**
 * Time between two looks whether the servers that a request waits for are there at all, in ms. One look and the time that a
 * server is given for it: a caller gets its 503 within 5 s.
 */
const LOOK_EVERY_MS = 1_000;

interface Work {
  /** The server that nobody waits for any more. */
  givenUpFor?: Server;
}
const current = new AsyncLocalStorage<Work>();

/** Stops work that was given up: what its caller was told has failed does not happen later. */
export function assertAwaited(): void {
  const givenUpFor = current.getStore()?.givenUpFor;
  if (givenUpFor !== undefined) throw serverUnavailable(givenUpFor);
}

/**
 * Waits for some work as long as the servers that it waits for answer others: a long count goes on, a dead connection does not
 * hold its caller. Work that is given up ends at its next command, as if this process had died.
 * @throws ApiError 503 naming the server that does not answer.
 */
export async function whileAnswering<T>(
  health: Health,
  servers: readonly Server[],
  start: () => Promise<T>,
): Promise<T> {
  const work: Work = {};
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const away = new Promise<never>((_, reject) => {
    const look = async (): Promise<void> => {
      const answering = await Promise.all(servers.map((server) => health.isAnswering(server)));
      const missing = servers.find((_, at) => !answering[at]);
      if (isOver) return;
      if (missing === undefined) {
        timer = setTimeout(look, LOOK_EVERY_MS);
        return;
      }
      work.givenUpFor = missing;
      reject(serverUnavailable(missing));
    };
    timer = setTimeout(look, LOOK_EVERY_MS);
  });
  const result = current.run(work, start);
  // nobody hears of work that fails after it was given up
  result.catch(() => undefined);
  try {
    return await Promise.race([result, away]);
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}

/** Every request waits for MongoDB, and for Temporal with a deadline of its own. */
export const failInOutage = createMiddleware<ApiEnv>((c, next) =>
  whileAnswering(c.var.services.health, ['mongodb'], next),
);
