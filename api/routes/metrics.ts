import { timingSafeEqual } from 'node:crypto';
import type { Api } from '../http/define-route.ts';
import { unauthorized } from '../middleware/tokens.ts';

/** `/metrics`, for Prometheus: open, or with the configured token. */
export function metricsRoutes(api: Api): void {
  api.get('/metrics', async (c) => {
    const { config, metrics } = c.var.services;
    const { METRICS_TOKEN: token } = config;
    if (token !== undefined && !isSame(c.req.header('authorization') ?? '', `Bearer ${token}`)) throw unauthorized();
    return c.text(await metrics.registry.metrics(), 200, { 'Content-Type': metrics.registry.contentType });
  });
}

/** Takes the same time for every wrong token (no timing attack). */
function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
