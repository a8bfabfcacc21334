import { Hono } from 'hono';
import { isTerminal } from '../../domain/batch/batch.ts';
import { hasCode } from '../../domain/errors.ts';
import { CamundaFault, invalidRequest } from '../../domain/executions/camunda-fault.ts';
import type { JobCounts } from '../../domain/executions/job-counts.ts';
import { describe, readFlag, readObject } from '../../domain/json/reading.ts';
import { cancelBatch, resumeBatch, retryBatch, suspendBatch } from '../../services/batches/control-batch.ts';
import { countJobs } from '../../services/executions/count-jobs.ts';
import { findBatch } from '../../store/batches/batches.ts';
import { recordDismissed } from '../../store/batches/termination-jobs.ts';
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
import { batchOfJobs, toBatch, toBatchStatistics } from './representations.ts';
import { readBody, readBooleanParameter, readDateParameter, readPaging, readSorting } from './requests.ts';

/** Runtime batches: those that run, and those with failed jobs until they are retried or deleted. */
export const batchRoutes = new Hono<ApiEnv>();

const SORT_KEYS = ['batchId', 'tenantId'] as const;

batchRoutes.get('/batch', (c) => list(c, toBatch));
batchRoutes.get('/batch/statistics', (c) => list(c, toBatchStatistics));

batchRoutes.get('/batch/count', async (c) => c.json({ count: await count(c) }));
batchRoutes.get('/batch/statistics/count', async (c) => c.json({ count: await count(c) }));

batchRoutes.get('/batch/:id', async (c) => {
  const batch = await findLive(c, c.req.param('id'));
  if (batch === null) {
    throw new CamundaFault('InvalidRequestException', `Batch with id '${c.req.param('id')}' does not exist`, 404);
  }
  return c.json(toBatch(batch, await countJobs(c.var.services.database, batch)));
});

batchRoutes.put('/batch/:id/suspended', async (c) => {
  const { suspended = null } = readObject(await readBody(c), 'the body');
  const isToSuspend = suspended !== null && readFlag(suspended, 'suspended');
  const id = c.req.param('id');
  const batch = await findLive(c, id);
  const refused = new CamundaFault(
    'InvalidRequestException',
    `Unable to ${isToSuspend ? 'suspend' : 'activate'} batch with id '${id}'`,
    400,
    0,
  );
  if (batch === null) throw refused;
  // a finished batch, listed until its failures are handled, has nothing to stop
  if (isTerminal(batch.status)) return c.body(null, 204);
  try {
    await (isToSuspend ? suspendBatch : resumeBatch)(c.var.services, batch);
  } catch (error) {
    throw hasCode(error, 'operation_not_allowed') ? refused : error;
  }
  return c.body(null, 204);
});

batchRoutes.delete('/batch/:id', async (c) => {
  const id = c.req.param('id');
  const batch = await findLive(c, id);
  const refused = new CamundaFault('InvalidRequestException', `Unable to delete batch with id '${id}'`, 400, 0);
  if (batch === null) throw refused;
  const isRunning = !isTerminal(batch.status);
  // The first write hides the batch; after a crash before the second step it can still be deleted.
  const isDelivered = !isRunning || (await cancel(c, batch));
  const isDismissed = await recordDismissed(c.var.services.database, id);
  if (!isRunning && !isDismissed) throw refused;
  if (c.req.query('cascade') === 'true') {
    // the caller has waited for Temporal once already
    await removeBatchForGood(c, batch, isDelivered ? undefined : () => Promise.resolve(false));
  }
  return c.body(null, 204);
});

/** Executions that are being terminated end, the others continue. For a batch that has finished meanwhile nothing is done. @returns whether the control request is delivered. */
async function cancel(c: ApiContext, batch: Termination): Promise<boolean> {
  try {
    return (await cancelBatch(c.var.services, batch)).isDelivered;
  } catch (error) {
    if (!hasCode(error, 'operation_not_allowed')) throw error;
    return true;
  }
}

batchRoutes.put('/job-definition/:id/retries', async (c) => {
  const id = c.req.param('id');
  const { retries } = readObject(await readBody(c), 'the body');
  if (typeof retries !== 'number' || !Number.isInteger(retries) || retries < 0) {
    const given =
      retries === undefined ? 'null' : typeof retries === 'object' ? describe(retries) : JSON.stringify(retries);
    throw invalidRequest(`The number of job Retries must be a non-negative number, but '${given}' has been provided.`);
  }
  const batchId = batchOfJobs(id);
  const batch = batchId === null ? null : await findLive(c, batchId);
  if (batch === null)
    throw new CamundaFault('InvalidRequestException', `Job Definition with id ${id} does not exist`, 404);
  if (retries === 0) return c.body(null, 204);
  const { failed } = await countJobs(c.var.services.database, batch);
  if (failed > 0) await retry(c, batch);
  return c.body(null, 204);
});

async function retry(c: ApiContext, batch: Termination): Promise<void> {
  try {
    await retryBatch(c.var.services, batch);
  } catch (error) {
    throw hasCode(error, 'operation_not_allowed') ? invalidRequest(error.message) : error;
  }
}

async function findLive(c: ApiContext, id: string): Promise<Termination | null> {
  const batch = await findBatch(c.var.services.database, ownerOf(c), id);
  return batch !== null && isTermination(batch) && isLive(batch) ? batch : null;
}

async function list(c: ApiContext, show: (batch: Termination, jobs: JobCounts) => object): Promise<Response> {
  const filter = readFilter(c);
  const sorting = readSorting(c, SORT_KEYS);
  const paging = readPaging(c);
  const sortBy = sorting?.key === 'tenantId' ? 'tenantId' : 'id';
  return listedBatches(c, filter, { sortBy, descending: sorting?.descending ?? false, ...paging }, show);
}

async function count(c: ApiContext): Promise<number> {
  readSorting(c, SORT_KEYS);
  const filter = readFilter(c);
  return filter === null ? 0 : countTerminations(c.var.services.database, ownerOf(c), filter);
}

/** null: the parameters select nothing that Drover has. Parameters that the engine does not know are ignored, as in the engine. */
function readFilter(c: ApiContext): TerminationFilter | null {
  const suspended = readBooleanParameter(c, 'suspended');
  const withFailures = readBooleanParameter(c, 'withFailures');
  const withoutFailures = readBooleanParameter(c, 'withoutFailures');
  const startedBefore = readDateParameter(c, 'startedBefore');
  const startedAfter = readDateParameter(c, 'startedAfter');
  const batchId = c.req.query('batchId');
  const tenants = readTenantFilter(c);
  if (selectsNothing(c)) return null;
  return {
    isLive: true,
    ...(batchId !== undefined && { batchId }),
    ...(suspended !== null && { suspended }),
    ...(startedBefore && { startedBefore }),
    ...(startedAfter && { startedAfter }),
    ...(withFailures === true && { hasFailures: true }),
    ...(withoutFailures === true && { hasFailures: false }),
    ...tenants,
  };
}
