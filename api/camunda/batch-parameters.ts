import type { TerminationFilter } from '../../store/batches/terminations.ts';
import type { ApiContext } from '../http/context.ts';
import { readBooleanParameter } from './requests.ts';

/** Type of every batch that the façade knows. */
const BATCH_TYPE = 'instance-deletion';

/** Whether filters by properties that all batches share exclude every batch: another type, or any creator (batches have none). */
export function selectsNothing(c: ApiContext): boolean {
  const type = c.req.query('type');
  return (type !== undefined && type !== BATCH_TYPE) || c.req.query('createdBy') !== undefined;
}

/** The filters by the tenant of a batch, as in its `tenantId`. `withoutTenantId=false` is no filter. */
export function readTenantFilter(c: ApiContext): Pick<TerminationFilter, 'tenantIn' | 'isWithoutTenant'> {
  const lists = c.req.queries('tenantIdIn');
  const isWithoutTenant = readBooleanParameter(c, 'withoutTenantId') === true;
  return {
    ...(lists !== undefined && { tenantIn: lists.flatMap((list) => list.split(',')) }),
    ...(isWithoutTenant && { isWithoutTenant }),
  };
}
