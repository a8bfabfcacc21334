import { Hono } from 'hono';
import { CamundaFault } from '../../domain/executions/camunda-fault.ts';
import { countJobs } from '../../services/executions/count-jobs.ts';
import { findBatch } from '../../store/batches/batches.ts';
import {
  countTerminations,
  isLive,
  isTermination,
  type Termination,
  type TerminationFilter,
} from '../../store/batches/terminations.ts';
import type { ApiContext, ApiEnv } from '../http/context.ts';
import { removeBatchForGood } from '../routes/batches/delete-batch.ts';
import { readTenantFilter, selectsNothing } from './batch-parameters.ts';
import { listedBatches } from './listed-batches.ts';
import { ownerOf } from './reach.ts';
import { toHistoricBatch } from './representations.ts';
import { readBooleanParameter, readPaging, readSorting } from './requests.ts';

/** Batches from their start until their history is deleted. */
export const historicBatchRoutes = new Hono<ApiEnv>();

const SORT_KEYS = ['batchId', 'startTime', 'endTime', 'tenantId'] as const;

historicBatchRoutes.get('/history/batch', async (c) => {
  const filter = readFilter(c);
  const sorting = readSorting(c, SORT_KEYS);
  const paging = readPaging(c);
  const key = sorting?.key ?? 'batchId';
  const sortBy = key === 'batchId' ? 'id' : key;
  return listedBatches(c, filter, { sortBy, descending: sorting?.descending ?? false, ...paging }, toHistoricBatch);
});

historicBatchRoutes.get('/history/batch/count', async (c) => {
  readSorting(c, SORT_KEYS);
  const filter = readFilter(c);
  return c.json({
    count: filter === null ? 0 : await countTerminations(c.var.services.database, ownerOf(c), filter),
  });
});

historicBatchRoutes.get('/history/batch/:id', async (c) => {
  const id = c.req.param('id');
  const batch = await find(c, id);
  if (batch === null) {
    throw new CamundaFault('InvalidRequestException', `Historic batch with id '${id}' does not exist`, 404);
  }
  return c.json(toHistoricBatch(batch, await countJobs(c.var.services.database, batch)));
});

/** A running batch keeps its history: it could not run without its stored items. */
historicBatchRoutes.delete('/history/batch/:id', async (c) => {
  const id = c.req.param('id');
  const batch = await find(c, id);
  if (batch === null || isLive(batch)) {
    throw new CamundaFault('InvalidRequestException', `Unable to delete historic batch with id '${id}'`, 400, 0);
  }
  await removeBatchForGood(c, batch);
  return c.body(null, 204);
});

async function find(c: ApiContext, id: string): Promise<Termination | null> {
  const batch = await findBatch(c.var.services.database, ownerOf(c), id);
  return batch !== null && isTermination(batch) ? batch : null;
}

function readFilter(c: ApiContext): TerminationFilter | null {
  const completed = readBooleanParameter(c, 'completed');
  const batchId = c.req.query('batchId');
  const tenants = readTenantFilter(c);
  if (selectsNothing(c)) return null;
  return { ...(batchId !== undefined && { batchId }), ...(completed !== null && { isLive: !completed }), ...tenants };
}
