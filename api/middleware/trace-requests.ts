import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { createMiddleware } from 'hono/factory';
import { matchedRoutes } from 'hono/route';
import { isTraced } from '../../process/telemetry.ts';
import { traceBatch } from '../../store/telemetry/trace-batch.ts';
import type { ApiEnv } from '../http/context.ts';
import { methodLabel } from './count-requests.ts';

/** The batch that a path names. */
const BATCH_PATH = /^\/api\/batches\/([0-9a-f]{8}-[0-9a-f-]{27})(?:\/|$)/i;

/**
 * Makes a span of each request, in the trace that its caller names (`traceparent`). It says the method, the route and the status: a path has external ids in
 * it, and a query what a caller looks for.
 */
export const traceRequests = createMiddleware<ApiEnv>(async (c, next) => {
  if (!isTraced(c.var.services.config)) return next();
  const above = propagation.extract(context.active(), c.req.header());
  const method = methodLabel(c.req.method);
  const options = { kind: SpanKind.SERVER, attributes: { 'http.request.method': method } };
  await trace.getTracer('drover/http').startActiveSpan(method, options, above, async (span) => {
    const [, batchId] = BATCH_PATH.exec(c.req.path) ?? [];
    if (batchId !== undefined) traceBatch(batchId.toLowerCase());
    try {
      await next();
    } finally {
      const [route] = matchedRoutes(c).filter(({ path }) => !path.includes('*'));
      if (route !== undefined) {
        span.updateName(`${method} ${route.path}`);
        span.setAttribute('http.route', route.path);
      }
      span.setAttribute('http.response.status_code', c.res.status);
      if (c.res.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    }
  });
});
