import { createMiddleware } from 'hono/factory';
import type { ApiContext, ApiEnv } from './context.ts';

/**
 * The headers of a stream for a HEAD, which the handlers of GET answer too: a stream that nobody reads would never end. Null for
 * a GET.
 */
export function headOnly(c: ApiContext, type: string): Response | null {
  return c.req.method === 'HEAD' ? c.body(null, 200, { 'Content-Type': type }) : null;
}

/** Lets go of whatever body a HEAD was answered with: it is not sent. */
export const dropBodyOfHead = createMiddleware<ApiEnv>(async (c, next) => {
  await next();
  if (c.req.method === 'HEAD') await c.res.body?.cancel();
});
