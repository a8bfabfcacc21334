import { createRoute, type RouteConfig } from '@hono/zod-openapi';
import type { ApiContext } from './context.ts';
import type { Api } from './define-route.ts';

interface OpenRoute {
  readonly path: string;
  /** Name of the operation in generated clients. */
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  /** Any of these schemes; empty: none is required. */
  readonly security: NonNullable<RouteConfig['security']>;
  readonly responses: RouteConfig['responses'];
}

/**
 * Adds a route for whoever watches the service, and its definition to the OpenAPI document: it requires no tenant and no token of a
 * caller. Probes and scrapers send parameters and headers of their own, which are not read.
 */
export function defineOpenRoute(
  api: Api,
  about: OpenRoute,
  handle: (c: ApiContext) => Response | Promise<Response>,
): void {
  const route = createRoute({ ...about, method: 'get', tags: ['Operation'] });
  api.openAPIRegistry.registerPath(route);
  api.get(route.getRoutingPath(), handle);
}
