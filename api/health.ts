import type { Client } from '@temporalio/client';
import type { Database } from '../store/database.ts';
import type { Api } from './define-route.ts';
import type { Server } from './envelope.ts';

/** Time that each server is given to show that it is there, in ms. */
const PROBE_TIMEOUT_MS = 2_000;

/** Knows whether the servers answer; many who ask at once cost one look. */
export class Health {
  readonly #probes: Readonly<Record<Server, () => Promise<void>>>;
  readonly #looks = new Map<Server, Promise<boolean>>();

  constructor({ database, client }: { database: Database; client: Client }) {
    this.#probes = { mongodb: () => database.ping(), temporal: () => pingTemporal({ client }) };
  }

  isAnswering(server: Server): Promise<boolean> {
    const look = this.#looks.get(server) ?? this.#look(server).finally(() => this.#looks.delete(server));
    this.#looks.set(server, look);
    return look;
  }

  async #look(server: Server): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, PROBE_TIMEOUT_MS, false);
    });
    const answer = this.#probes[server]().then(
      () => true,
      () => false,
    );
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }
}

/** `/healthz`: the process serves. `/readyz`: MongoDB and Temporal answer too. Neither asks for a token. */
export function healthRoutes(api: Api): void {
  api.get('/healthz', (c) => c.json({ status: 'ok' }));
  api.get('/readyz', async (c) => {
    const { health } = c.var.services;
    const [mongodb, temporal] = await Promise.all([health.isAnswering('mongodb'), health.isAnswering('temporal')]);
    const isReady = mongodb && temporal;
    const state = (ok: boolean): string => (ok ? 'ok' : 'unreachable');
    return c.json({ status: isReady ? 'ok' : 'unavailable', mongodb: state(mongodb), temporal: state(temporal) }, isReady ? 200 : 503);
  });
}

/** @throws ServiceError or a connection error where Temporal does not answer in time. */
export async function pingTemporal({ client }: { client: Client }): Promise<void> {
  await client.withDeadline(Date.now() + PROBE_TIMEOUT_MS, () => client.workflowService.getSystemInfo({}));
}
