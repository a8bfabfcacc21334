import { createMiddleware } from 'hono/factory';
import { matchedRoutes } from 'hono/route';
import type { ApiEnv } from '../http/context.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** The method of a request; invented ones share a label. */
export const methodLabel = (method: string): string => (METHODS.has(method) ? method : 'other');

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
      method: methodLabel(c.req.method),
      route: route?.path ?? 'none',
      status: c.res.status,
      seconds: (performance.now() - started) / 1000,
    });
  }
});
