import type { Services } from './context.ts';
import type { Api } from './define-route.ts';

/** Time that each server is given to show that it is there, in ms. */
const PROBE_TIMEOUT_MS = 2_000;

/** `/healthz`: the process serves. `/readyz`: MongoDB and Temporal answer too. Neither asks for a token. */
export function healthRoutes(api: Api): void {
  api.get('/healthz', (c) => c.json({ status: 'ok' }));
  api.get('/readyz', async (c) => {
    const { services } = c.var;
    const [mongodb, temporal] = await Promise.all([
      isAnswering(() => services.database.ping()),
      isAnswering(() => pingTemporal(services)),
    ]);
    const isReady = mongodb && temporal;
    const state = (ok: boolean): string => (ok ? 'ok' : 'unreachable');
    return c.json({ status: isReady ? 'ok' : 'unavailable', mongodb: state(mongodb), temporal: state(temporal) }, isReady ? 200 : 503);
  });
}

/** @throws ServiceError or a connection error where Temporal does not answer in time. */
export async function pingTemporal({ client }: Pick<Services, 'client'>): Promise<void> {
  await client.withDeadline(Date.now() + PROBE_TIMEOUT_MS, () => client.workflowService.getSystemInfo({}));
}

async function isAnswering(probe: () => Promise<void>): Promise<boolean> {
  const late = new Promise<false>((resolve) => setTimeout(resolve, PROBE_TIMEOUT_MS, false).unref());
  const answer = probe().then(
    () => true,
    () => false,
  );
  return Promise.race([answer, late]);
}
