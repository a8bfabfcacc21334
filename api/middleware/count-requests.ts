import { createMiddleware } from 'hono/factory';
import { matchedRoutes } from 'hono/route';
import type { ApiEnv } from '../http/context.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counts each request under its route, so that invented paths share one label. */
export const countRequests = createMiddleware<ApiEnv>(async (c, next) => {
  const { metrics } = c.var.services;
  const started = performance.now();
  metrics.begin();
  try {
    await next();
  } finally {
    const [route] = matchedRoutes(c).filter(({ path }) => !path.includes('*'));
    metrics.end({
      method: METHODS.has(c.req.method) ? c.req.method : 'other',
      route: route?.path ?? 'none',
      status: c.res.status,
      seconds: (performance.now() - started) / 1000,
    });
  }
});
