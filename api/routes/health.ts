import type { Api } from '../http/define-route.ts';

/**
 * `/healthz`: the process serves. `/readyz`: MongoDB and Temporal answer too, and Temporal is set up for batches.
 * Neither needs a token.
 */
export function healthRoutes(api: Api): void {
  api.get('/healthz', (c) => c.json({ status: 'ok' }));
  api.get('/readyz', async (c) => {
    const { health, startReadiness } = c.var.services;
    const [mongodb, temporal] = await Promise.all([health.isAnswering('mongodb'), health.isAnswering('temporal')]);
    const missing = temporal ? await startReadiness.missing() : [];
    const isReady = mongodb && temporal && missing.length === 0;
    const state = (ok: boolean): string => (ok ? 'ok' : 'unreachable');
    return c.json(
      {
        status: isReady ? 'ok' : 'unavailable',
        mongodb: state(mongodb),
        temporal: missing.length > 0 ? 'not set up' : state(temporal),
        ...(missing.length > 0 && { missing }),
      },
      isReady ? 200 : 503,
    );
  });
}
