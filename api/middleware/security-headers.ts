import { createMiddleware } from 'hono/factory';
import type { ApiEnv } from '../http/context.ts';

/**
 * Limits what a browser may do with an answer: it may only read it. Data is not kept in caches, shown in frames, interpreted as a page, or
 * read by pages of other sites. The documentation page sets wider headers for itself.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** Sets them before the answer is made, so that a route can set its own. */
export const setSecurityHeaders = createMiddleware<ApiEnv>(async (c, next) => {
  for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
  await next();
});
