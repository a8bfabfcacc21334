import { OpenAPIHono } from '@hono/zod-openapi';
import { v7 as uuidv7 } from 'uuid';
import { inCausalOrder } from '../store/mongodb/causal-order.ts';
import { CAMUNDA_PREFIX, camundaRoutes } from './camunda/app.ts';
import { describeCamunda } from './camunda/describe.ts';
import { camundaFailure } from './camunda/errors.ts';
import type { DashboardFiles } from './dashboard/files.ts';
import { dashboardRoutes } from './dashboard/routes.ts';
import { EXTRACTA_PREFIX, extractaFailure, extractaRoutes } from './extracta/routes.ts';
import { methodNotAllowed, notFound } from './http/api-error.ts';
import type { ApiContext, ApiEnv, Services } from './http/context.ts';
import type { Api } from './http/define-route.ts';
import { failure } from './http/envelope.ts';
import { dropBodyOfHead } from './http/streams.ts';
import { allowedMethods } from './middleware/allowed-methods.ts';
import { checkAuthentication, checkPlatformScope } from './middleware/authentication.ts';
import { countRequests } from './middleware/count-requests.ts';
import { limitLoad } from './middleware/limit-load.ts';
import { failInOutage } from './middleware/outage.ts';
import { limitTime } from './middleware/request-time.ts';
import { setSecurityHeaders } from './middleware/security-headers.ts';
import { traceRequests } from './middleware/trace-requests.ts';
import { controlRoutes } from './routes/batches/control-batch.ts';
import { deleteBatchRoute } from './routes/batches/delete-batch.ts';
import { itemRoutes } from './routes/batches/items.ts';
import { readBatchRoutes } from './routes/batches/read-batches.ts';
import { watchBatchRoute } from './routes/batches/watch-batch.ts';
import { bulkOperationRoutes } from './routes/bulk/bulk-operations.ts';
import { listBulkOperationsRoute } from './routes/bulk/list-bulk-operations.ts';
import { SCHEMA_DEFINITIONS_PATH, schemaDefinitionRoutes } from './routes/definitions/schema-definitions.ts';
import { docsRoutes, documentOf } from './routes/docs.ts';
import { healthRoutes } from './routes/health.ts';
import { controlImportRoutes } from './routes/imports/control-import.ts';
import { partRoutes } from './routes/imports/parts.ts';
import { readImportsRoutes } from './routes/imports/read-imports.ts';
import { importResultsRoute } from './routes/imports/results.ts';
import { startImportRoute } from './routes/imports/start-import.ts';
import { undoImportRoute } from './routes/imports/undo-import.ts';
import { watchImportRoute } from './routes/imports/watch-import.ts';
import { INSTALLATION_PATH, installationRoute } from './routes/installation.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { deleteResourcesRoutes } from './routes/resources/delete-resources.ts';
import { readResourcesRoutes } from './routes/resources/read-resources.ts';
import { writeResourcesRoutes } from './routes/resources/write-resources.ts';
import { sessionRoute } from './routes/session.ts';
import { systemRoute } from './routes/system.ts';
import { throughputRoute } from './routes/throughput.ts';
import { deliveryRoutes } from './routes/webhooks/deliveries.ts';
import { webhookRoutes } from './routes/webhooks/webhooks.ts';

/**
 * The API without its socket: routes and middleware. Tests send it requests with `app.request()`.
 * @param dashboard its files; null: it is not served.
 */
export function createApp(services: Services, dashboard: DashboardFiles | null = null): OpenAPIHono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>();
  app.use(async (c, next) => {
    c.set('services', services);
    c.set('requestId', uuidv7());
    c.header('X-Request-Id', c.var.requestId);
    c.set('beganAt', performance.now());
    await next();
    const { method, path } = c.req;
    const ms = Math.round(performance.now() - c.var.beganAt);
    services.logger.debug(
      { requestId: c.var.requestId, tenant: c.var.scope?.tenant, method, path, status: c.res.status, ms },
      'request',
    );
  });
  app.use(traceRequests);
  app.use(limitTime);
  app.use(setSecurityHeaders);
  app.use(dropBodyOfHead);
  app.use(countRequests);
  openRoutes(app);
  if (dashboard !== null) dashboardRoutes(app, dashboard);
  app.use(checkAuthentication);
  app.use(limitLoad);
  // a request reads its own writes
  app.use((_, next) => inCausalOrder(next));
  app.use(failInOutage);
  app.use(`${SCHEMA_DEFINITIONS_PATH}/*`, checkPlatformScope);
  app.use(INSTALLATION_PATH, checkPlatformScope);
  tokenRoutes(app);
  app.route(CAMUNDA_PREFIX, camundaRoutes);
  const methodsOf = allowedMethods(app.routes);
  app.notFound((c) => {
    const { path } = c.req;
    const allow = methodsOf(path);
    return answerError(c, allow.length > 0 ? methodNotAllowed(path, allow) : notFound(`there is nothing at ${path}`));
  });
  app.onError((error, c) => answerError(c, error));
  return app;
}

/**
 * The OpenAPI document that `/openapi.json` serves, without a service behind it: clients are generated from it.
 * @internal exported for packages/client, whose types are generated from it
 */
export function openApiDocument(): ReturnType<typeof documentOf> {
  const api = new OpenAPIHono<ApiEnv>();
  openRoutes(api);
  tokenRoutes(api);
  return documentOf(api);
}

/** Routes that no token of a caller is required for. */
function openRoutes(api: Api): void {
  healthRoutes(api);
  metricsRoutes(api);
  docsRoutes(api);
}

function tokenRoutes(api: Api): void {
  sessionRoute(api);
  systemRoute(api);
  throughputRoute(api);
  schemaDefinitionRoutes(api);
  writeResourcesRoutes(api);
  deleteResourcesRoutes(api);
  readResourcesRoutes(api);
  readBatchRoutes(api);
  controlRoutes(api);
  watchBatchRoute(api);
  deleteBatchRoute(api);
  itemRoutes(api);
  startImportRoute(api);
  partRoutes(api);
  readImportsRoutes(api);
  controlImportRoutes(api);
  undoImportRoute(api);
  importResultsRoute(api);
  watchImportRoute(api);
  installationRoute(api);
  webhookRoutes(api);
  deliveryRoutes(api);
  bulkOperationRoutes(api);
  listBulkOperationsRoute(api);
  extractaRoutes(api);
  describeCamunda(api, CAMUNDA_PREFIX);
}

/** Errors in the shape of the API that the path belongs to. */
function answerError(c: ApiContext, error: unknown): Response {
  if (c.req.path.startsWith(`${CAMUNDA_PREFIX}/`)) return camundaFailure(c, error);
  return c.req.path.startsWith(EXTRACTA_PREFIX) ? extractaFailure(c, error) : failure(c, error);
}
