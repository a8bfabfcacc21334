import { timingSafeEqual } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { defineOpenRoute } from '../http/define-open-route.ts';
import { type Api, FAULTS } from '../http/define-route.ts';
import { unauthorized } from '../middleware/tokens.ts';

/** The security scheme of `/metrics`, as the OpenAPI document names it. */
const METRICS_SCHEME = 'metricsToken';

const Metrics = z.string().openapi({ example: 'drover_batches_accepted_total{operation="upload"} 12' });

/** `/metrics`: open, or with the configured token. */
export function metricsRoutes(api: Api): void {
  api.openAPIRegistry.registerComponent('securitySchemes', METRICS_SCHEME, {
    type: 'http',
    scheme: 'bearer',
    description: 'The value of METRICS_TOKEN, where that is configured; else none is required.',
  });
  defineOpenRoute(
    api,
    {
      path: '/metrics',
      operationId: 'getMetrics',
      summary: 'What the process has done and is doing, for Prometheus',
      description: 'In the text format of Prometheus. Each process has its own.',
      security: [{}, { [METRICS_SCHEME]: [] }],
      responses: {
        200: { description: 'In the text format of Prometheus', content: { 'text/plain': { schema: Metrics } } },
        401: FAULTS[401],
        500: FAULTS[500],
      },
    },
    async (c) => {
      const { config, metrics } = c.var.services;
      const { METRICS_TOKEN: token } = config;
      if (token !== undefined && !isSame(c.req.header('authorization') ?? '', `Bearer ${token}`)) throw unauthorized();
      return c.text(await metrics.registry.metrics(), 200, { 'Content-Type': metrics.registry.contentType });
    },
  );
}

/** Takes the same time for every wrong token (no timing attack). */
function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
