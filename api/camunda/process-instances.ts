import { type Context, Hono } from 'hono';
import { readDeletionRequest } from '../../domain/delete/deletion-request.ts';
import { CamundaFault } from '../../domain/executions/camunda-fault.ts';
import { checkSorting, readProcessInstanceQuery } from '../../domain/executions/process-instance-query.ts';
import type { Condition } from '../../domain/executions/visibility-condition.ts';
import { MAX_FACADE_SELECTION_MS } from '../../domain/limits.ts';
import { readRetention } from '../../services/batches/retention.ts';
import { deleteProcessInstances } from '../../services/executions/delete-process-instances.ts';
import { readExternalEnd } from '../../services/executions/execution-history.ts';
import { countExecutions, listExecutions } from '../../services/executions/list-executions.ts';
import { findReachable, selectRunning } from '../../services/executions/select-executions.ts';
import { isTermination } from '../../store/batches/terminations.ts';
import type { ApiContext, ApiEnv } from '../http/context.ts';
import { whileAnswering } from '../middleware/outage.ts';
import { queryFromParameters } from './query-parameters.ts';
import { ownerOf, reachOf } from './reach.ts';
import { toBatch, toHistoricProcessInstance, toProcessInstance } from './representations.ts';
import { type Paging, readBody, readPaging } from './requests.ts';
import { streamedList } from './streamed-list.ts';

/** Time for starting the batch after everything is accepted, in ms. */
const START_TIMEOUT_MS = 10_000;

export const processInstanceRoutes = new Hono<ApiEnv>();

processInstanceRoutes.post('/process-instance/delete', async (c) => {
  const request = readDeletionRequest(await readBody(c));
  const { config, client, health } = c.var.services;
  await c.var.services.assertStarts();
  const settings = {
    invocationsPerBatchJob: config.CAMUNDA_INVOCATIONS_PER_BATCH_JOB,
    batchJobsPerSeed: config.CAMUNDA_BATCH_JOBS_PER_SEED,
    terminationGraceSeconds: config.CAMUNDA_TERMINATION_GRACE_SECONDS,
  };
  const batch = await whileAnswering(health, ['mongodb', 'temporal'], () =>
    client.withDeadline(Date.now() + MAX_FACADE_SELECTION_MS + START_TIMEOUT_MS, () =>
      deleteProcessInstances(c.var.services, ownerOf(c), reachOf(c), request, settings, c.var.createdBy),
    ),
  );
  c.var.services.metrics.accepted('terminate', batch.total, c.var.beganAt);
  if (!isTermination(batch)) throw new Error(`batch ${batch._id} deletes no process instances`);
  return c.json(toBatch(batch, null));
});

processInstanceRoutes.get('/process-instance', async (c) => list(c, await conditionOfParameters(c)));
processInstanceRoutes.post('/process-instance', async (c) => list(c, await conditionOfBody(c)));
processInstanceRoutes.get('/process-instance/count', async (c) => count(c, await conditionOfParameters(c)));
processInstanceRoutes.post('/process-instance/count', async (c) => count(c, await conditionOfBody(c)));

processInstanceRoutes.get('/process-instance/:id', async (c) => {
  const id = c.req.param('id');
  const execution = await findReachable(c.var.services.client, reachOf(c), id);
  if (execution?.closeTime !== null) throw doesNotExist(`Process instance with id ${id} does not exist`);
  return c.json(toProcessInstance(execution));
});

processInstanceRoutes.get('/history/process-instance/:id', async (c) => {
  const { client } = c.var.services;
  const id = c.req.param('id');
  const execution = await findReachable(client, reachOf(c), id);
  if (execution === null) throw doesNotExist(`Historic process instance with id ${id} does not exist`);
  const end = execution.closeTime === null ? null : await readExternalEnd(client, execution);
  return c.json(toHistoricProcessInstance(execution, end, await readRetention(client)));
});

const doesNotExist = (message: string): CamundaFault => new CamundaFault('InvalidRequestException', message, 404);

async function conditionOfParameters(c: ApiContext): Promise<Condition> {
  checkSorting(c.req.query('sortBy') ?? null, c.req.query('sortOrder') ?? null);
  const filter = readProcessInstanceQuery(queryFromParameters(c), '');
  return selectRunning(c.var.services.client, reachOf(c), filter);
}

async function conditionOfBody(c: ApiContext): Promise<Condition> {
  const filter = readProcessInstanceQuery(await readBody(c), '');
  return selectRunning(c.var.services.client, reachOf(c), filter);
}

async function count(c: ApiContext, condition: Condition): Promise<Response> {
  return c.json({ count: await countExecutions(c.var.services.client, condition) });
}

/** A namespace may hold more executions than memory. */
async function list(c: ApiContext, condition: Condition): Promise<Response> {
  return streamedList(c, entriesOf(c, condition, readPaging(c)));
}

async function* entriesOf(
  c: Context<ApiEnv>,
  condition: Condition,
  { first, max }: Paging,
): AsyncGenerator<string, void> {
  if (max === 0) return;
  let at = 0;
  for await (const page of listExecutions(c.var.services.client, condition)) {
    for (const execution of page) {
      if (at >= first) yield JSON.stringify(toProcessInstance(execution));
      at += 1;
      if (max !== null && at >= first + max) return;
    }
  }
}
