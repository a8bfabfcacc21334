import type { ApiContext } from '../context.ts';
import { reachOf } from './reach.ts';
import { readBooleanParameter } from './requests.ts';

/** Type of every batch that the façade knows. */
export const BATCH_TYPE = 'instance-deletion';

/**
 * Whether filters that are the same for all batches of a caller leave nothing: another type, another creator (nobody is known
 * by name), another tenant.
 */
export function selectsNothing(c: ApiContext): boolean {
  const type = c.req.query('type');
  if (type !== undefined && type !== BATCH_TYPE) return true;
  if (c.req.query('createdBy') !== undefined) return true;
  const tenant = reachOf(c)?.tenant ?? null;
  const wanted = c.req.query('tenantIdIn')?.split(',');
  if (wanted !== undefined && (tenant === null || !wanted.includes(tenant))) return true;
  return readBooleanParameter(c, 'withoutTenantId') === true && tenant !== null;
}
