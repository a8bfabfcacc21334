import { DEFAULT_PLATFORM } from '../../domain/scope.ts';
import type { Reach } from '../../services/select-executions.ts';
import type { ApiContext } from '../context.ts';

/**
 * What the caller's requests reach: a tenant's executions where the request is a tenant's or names one, else (platform scope,
 * no tenant named) all of the namespace. The namespace is the default platform's: to it belongs what names no platform.
 */
export function reachOf(c: ApiContext): Reach {
  const { isPlatformScope, scope } = c.var;
  const isOfTenant =
    !isPlatformScope || scope.platform !== DEFAULT_PLATFORM || Boolean(c.req.header('reach-tenant-id'));
  return isOfTenant ? scope : null;
}
