import { createMiddleware } from 'hono/factory';
import type { ApiContext, ApiEnv } from './context.ts';

/**
 * The headers of a stream for a HEAD, which the handlers of GET answer as well: an unread stream would never end. Null for a GET.
 */
export function headOnly(c: ApiContext, type: string): Response | null {
  return c.req.method === 'HEAD' ? c.body(null, 200, { 'Content-Type': type }) : null;
}

/** Cancels the body of the answer to a HEAD: it is not sent. */
export const dropBodyOfHead = createMiddleware<ApiEnv>(async (c, next) => {
  await next();
  if (c.req.method === 'HEAD') await c.res.body?.cancel();
});
