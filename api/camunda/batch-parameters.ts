import type { TerminationFilter } from '../../store/batches/terminations.ts';
import type { ApiContext } from '../http/context.ts';
import { readBooleanParameter } from './requests.ts';

/** Type of every batch that the façade knows. */
export const BATCH_TYPE = 'instance-deletion';

/** Whether filters that are the same for all batches leave nothing: another type, another creator (nobody is known by name). */
export function selectsNothing(c: ApiContext): boolean {
  const type = c.req.query('type');
  return (type !== undefined && type !== BATCH_TYPE) || c.req.query('createdBy') !== undefined;
}

/** The filters that ask for the tenant of a batch: that of its `tenantId`, whoever asks. `withoutTenantId=false` is no filter. */
export function readTenantFilter(c: ApiContext): Pick<TerminationFilter, 'tenantIn' | 'isWithoutTenant'> {
  const lists = c.req.queries('tenantIdIn');
  const isWithoutTenant = readBooleanParameter(c, 'withoutTenantId') === true;
  return {
    ...(lists !== undefined && { tenantIn: lists.flatMap((list) => list.split(',')) }),
    ...(isWithoutTenant && { isWithoutTenant }),
  };
}
