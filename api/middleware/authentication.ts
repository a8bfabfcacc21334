import { createMiddleware } from 'hono/factory';
import { DEFAULT_PLATFORM } from '../../domain/batch/scope.ts';
import { DroverError } from '../../domain/errors.ts';
import { ApiError } from '../http/api-error.ts';
import type { ApiContext, ApiEnv } from '../http/context.ts';
import { isLocalRequest } from './loopback.ts';
import { EXTENDED_TENANT_HEADER, namedTenant, TENANT_HEADER } from './tenant-header.ts';
import { type Bearer, unauthorized } from './tokens.ts';

/** The tenant of requests in platform scope that name none. */
const DEFAULT_TENANT = 'default';

/** The caller of an installation without tokens: a user of this machine. */
const LOCAL_CALLER: Bearer = { scope: 'platform', platform: DEFAULT_PLATFORM };

/**
 * Decides for which tenant a request acts (invariant 6). In platform scope the header names the tenant; in tenant scope the token
 * does, and the header may only repeat it.
 * @throws DroverError 401 without a valid token, 403 if the token is not valid for the tenant.
 */
export const checkAuthentication = createMiddleware<ApiEnv>(async (c, next) => {
  const bearer = await bearerOf(c);
  const named = namedTenant({ plain: c.req.header(TENANT_HEADER), extended: c.req.header(EXTENDED_TENANT_HEADER) });
  if (bearer.scope === 'tenant' && named !== null && named !== bearer.tenant) {
    throw new DroverError('forbidden', `the token is another tenant's than ${TENANT_HEADER}`);
  }
  const tenant = named ?? bearer.tenant;
  const isPlatformScope = bearer.scope === 'platform';
  c.set('scope', { platform: bearer.platform, tenant: tenant ?? DEFAULT_TENANT });
  c.set('createdBy', bearer.subject);
  c.set('isPlatformScope', isPlatformScope);
  // The namespace belongs to the default platform, like everything that names no platform. A named tenant limits the request to that tenant.
  c.set('actsOnNamespace', isPlatformScope && bearer.platform === DEFAULT_PLATFORM && tenant === undefined);
  await next();
});

async function bearerOf(c: ApiContext): Promise<Bearer> {
  const { verifyToken } = c.var.services;
  if (verifyToken === null) {
    if (isLocalRequest({ host: c.req.header('host'), origin: c.req.header('origin') })) return LOCAL_CALLER;
    throw new DroverError('forbidden', 'without configured tokens only this machine is served, under a loopback name');
  }
  const header = c.req.header('authorization');
  if (header === undefined) throw unauthorized();
  const [, token] = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(header) ?? [];
  if (token === undefined) throw unauthorized('the Authorization header has no bearer token');
  return verifyToken(token);
}

/** Schema definitions belong to the platform: tenants have no access (SECURITY.md). @throws DroverError 403 */
export const checkPlatformScope = createMiddleware<ApiEnv>(async (c, next) => {
  if (!c.var.isPlatformScope) {
    throw new ApiError('forbidden', 'this needs a token of platform scope', {
      challenge: 'Bearer realm="drover", error="insufficient_scope", scope="platform"',
    });
  }
  await next();
});
