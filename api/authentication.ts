import { createMiddleware } from 'hono/factory';
import { MAX_SCOPE_NAME } from '../domain/scope.ts';
import type { ApiEnv } from './context.ts';
import { badRequest } from './envelope.ts';

const DEFAULT_PLATFORM = 'default';
const DEFAULT_TENANT = 'default';

/** Who a request speaks for. Without configured tokens the service listens on loopback only, and the header picks the tenant. */
export const checkAuthentication = createMiddleware<ApiEnv>(async (c, next) => {
  const tenant = c.req.header('reach-tenant-id') || DEFAULT_TENANT;
  if (tenant.length > MAX_SCOPE_NAME) throw badRequest(`reach-tenant-id: must be at most ${MAX_SCOPE_NAME} characters`);
  c.set('scope', { platform: DEFAULT_PLATFORM, tenant });
  await next();
});
