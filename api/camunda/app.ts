import { Hono } from 'hono';
import type { ApiEnv } from '../http/context.ts';
import { batchRoutes } from './batches.ts';
import { camundaFailure, methodNotAllowed, notFound } from './errors.ts';
import { historicBatchRoutes } from './historic-batches.ts';
import { processInstanceRoutes } from './process-instances.ts';
import { expectJsonAccepted } from './requests.ts';

/** Version of the engine whose answers the façade reproduces. */
const ENGINE_VERSION = '7.22.0';

/** Path under which these routes are mounted. */
export const CAMUNDA_PREFIX = '/engine-rest';

/** Every path, with its methods; the first pattern that matches applies. */
const METHODS: readonly (readonly [pattern: RegExp, methods: readonly string[]])[] = [
  [/^\/(engine|version)$/, ['GET']],
  [/^\/process-instance\/delete$/, ['POST']],
  [/^\/process-instance(\/count)?$/, ['GET', 'POST']],
  [/^(\/history)?\/process-instance\/[^/]+$/, ['GET']],
  [/^(\/history)?\/batch(\/count)?$/, ['GET']],
  [/^\/batch\/statistics(\/count)?$/, ['GET']],
  [/^(\/history)?\/batch\/[^/]+$/, ['GET', 'DELETE']],
  [/^\/batch\/[^/]+\/suspended$/, ['PUT']],
  [/^\/job-definition\/[^/]+\/retries$/, ['PUT']],
];

/**
 * The part of the Camunda 7 REST API that deletes process instances and watches the batch that does it, for the workflow
 * executions of the namespace (docs/camunda.md).
 */
export const camundaRoutes = new Hono<ApiEnv>();

camundaRoutes.onError((error, c) => camundaFailure(c, error));

// Before the routes: `delete`, `count` and `statistics` are no ids, whatever the method.
camundaRoutes.use('*', async (c, next) => {
  const path = c.req.path.slice(CAMUNDA_PREFIX.length);
  const [, methods] = METHODS.find(([pattern]) => pattern.test(path)) ?? [];
  if (methods === undefined) throw notFound();
  const isAllowed = methods.includes(c.req.method) || (c.req.method === 'HEAD' && methods.includes('GET'));
  if (!isAllowed) {
    c.header('Allow', methods.join(', '));
    throw methodNotAllowed();
  }
  // The other methods answer without a body.
  if (c.req.method === 'GET' || c.req.method === 'POST') expectJsonAccepted(c);
  await next();
});

camundaRoutes.get('/version', (c) => c.json({ version: ENGINE_VERSION }));
camundaRoutes.get('/engine', (c) => c.json([{ name: 'default' }]));
camundaRoutes.route('/', processInstanceRoutes);
camundaRoutes.route('/', batchRoutes);
camundaRoutes.route('/', historicBatchRoutes);
