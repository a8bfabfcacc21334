import type { Reach } from '../../services/select-executions.ts';
import type { ApiContext } from '../context.ts';

/**
 * What the caller's requests reach: a tenant's executions where the request is a tenant's or names one, else (platform scope,
 * no tenant named) all of the namespace.
 */
export function reachOf(c: ApiContext): Reach {
  return c.req.header('reach-tenant-id') === undefined ? null : c.var.scope;
}
