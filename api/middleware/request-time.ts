import type { IncomingMessage, ServerResponse } from 'node:http';
import { createMiddleware } from 'hono/factory';
import type { ApiEnv } from '../http/context.ts';
import { type RequestTime, timeOf } from '../state/request-time.ts';

const NO_LIMIT: RequestTime = { suspend: () => undefined, restart: () => undefined };

/**
 * Closes the connection of a request that has not arrived in time, whether its body is read or not. The server's own limit holds for all
 * requests alike, but content of any length needs more time.
 */
export const limitTime = createMiddleware<ApiEnv>(async (c, next) => {
  // there is no connection in `app.request()`
  const { incoming, outgoing } = (c.env ?? {}) as { incoming?: IncomingMessage; outgoing?: ServerResponse };
  c.set('time', incoming === undefined ? NO_LIMIT : timeOf(incoming, outgoing, c.var.services.config));
  await next();
});
