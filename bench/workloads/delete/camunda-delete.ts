import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { bodyOf, type components } from '@drover/client';
import { Connection, type WorkflowExecutionInfo } from '@temporalio/client';
import { cpuMsOf, residentMb } from '../../../testkit/measure.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import type { Figure } from '../../figures/figures.ts';
import { type MeasuredInstallation, secondsUntilEnd } from '../../installation/measured-installation.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';

/** Executions that are there, and how many of them a batch with a job for each of them ends. */
const EXECUTIONS = 100_000;
const ONE_BY_ONE = 2_000;
/** Items of a job in the other batch. */
const ITEMS_PER_JOB = 100;

const CONNECTIONS = 4;
const STARTS_AT_ONCE = 96;
const WATCH_EVERY_MS = 100;

/** Deletes executions by query through the Camunda façade: until it is accepted, and until they are ended. */
export const camundaDelete: Benchmark = {
  name: 'camunda-delete',
  about: `deletes 100,000 running workflow executions by query, ${ITEMS_PER_JOB} a job, once, whatever the rounds; takes half an hour`,
  onlyByName: true,
  run: async (bench) => {
    const type = `sleeper-${randomUUID()}`;
    const count = bench.size(EXECUTIONS);
    const query = { processInstanceQuery: { processDefinitionKey: type }, skipCustomListeners: true };
    const onesCount = Math.min(count, bench.size(ONE_BY_ONE));
    const oneByOne = { processInstanceIds: idsOf(type, 0, onesCount), skipCustomListeners: true };
    const starts = await startExecutions(bench, type, count);
    const ones = await bench.withInstallation((drover) => endThem(bench, drover, oneByOne, onesCount, 'one a job'), {
      workers: 0,
    });
    const left = count - onesCount;
    const environment = { CAMUNDA_INVOCATIONS_PER_BATCH_JOB: String(ITEMS_PER_JOB) };
    const many = await bench.withInstallation(
      async (drover) => {
        await untilRunning(drover, type, left);
        const accepting = await acceptInManyWays(bench, drover, type, left);
        return [...accepting, ...(await endThem(bench, drover, query, left, `${ITEMS_PER_JOB} a job`))];
      },
      { workers: 0, environment },
    );
    return [{ name: 'starting them', unit: 'executions/s', values: [starts] }, ...many, ...ones];
  },
};

const idsOf = (type: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => `${type}-${from + n}`);

/** Starts executions that no worker runs. @returns executions/s. */
async function startExecutions(bench: Bench, type: string, count: number): Promise<number> {
  const since = Date.now();
  const address = bench.servers.temporalAddress;
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.connect({ address })));
  let next = 0;
  const startNext = async (connection: Connection): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      await connection.workflowService.startWorkflowExecution({
        namespace: 'default',
        requestId: randomUUID(),
        workflowId: `${type}-${n}`,
        workflowType: { name: type },
        taskQueue: { name: `${type}-without-workers` },
      });
      if (n > 0 && n % 10_000 === 0) bench.say(`  ${n} started`);
    }
  };
  await Promise.all(
    Array.from({ length: STARTS_AT_ONCE }, (_, n) => startNext(connections[n % CONNECTIONS] as Connection)),
  );
  await Promise.all(connections.map((connection) => connection.close()));
  return (count / (Date.now() - since)) * 1000;
}

/** Waits until visibility shows so many running executions of a type. */
async function untilRunning(drover: MeasuredInstallation, type: string, count: number): Promise<void> {
  for (;;) {
    const found = await drover.client.workflow.count(`WorkflowType = '${type}' AND ExecutionStatus = 'Running'`);
    if (found.count === count) return;
    await sleep(WATCH_EVERY_MS);
  }
}

interface Accepted {
  readonly id: string;
  readonly seconds: number;
}

/** Accepts the same selection, asked for in several ways, and ends each batch again before anything of it is begun. */
async function acceptInManyWays(
  bench: Bench,
  drover: MeasuredInstallation,
  type: string,
  count: number,
): Promise<Figure[]> {
  const all = { processDefinitionKey: type };
  const orQueries = [
    { processDefinitionKeyIn: [type, 'nothing'], businessKeyLike: 'nothing%' },
    { processDefinitionKey: type, withoutTenantId: true },
  ];
  const ids = idsOf(type, EXECUTIONS * 2, EXECUTIONS * 2 + Math.ceil(count / 10));
  const ways = [
    ['by query', { processInstanceQuery: all }, count],
    ['by query, again', { processInstanceQuery: all }, count],
    ['by orQueries', { processInstanceQuery: { orQueries } }, count],
    ['by query and as many tenths of ids', { processInstanceQuery: all, processInstanceIds: ids }, count + ids.length],
  ] as const;
  const figures: Figure[] = [];
  const { http } = drover.clientOf();
  for (const [way, request, total] of ways) {
    const { figures: measured, id } = await accept(drover, { ...request, skipCustomListeners: true }, way);
    const path = { batchId: id };
    const { totalJobs } = await bodyOf(http.GET('/engine-rest/batch/{batchId}', { params: { path } }));
    if (totalJobs !== Math.ceil(total / ITEMS_PER_JOB)) throw new Error(`${way}: ${totalJobs} jobs for ${total} items`);
    const removed = await http.DELETE('/engine-rest/batch/{batchId}', { params: { path, query: { cascade: true } } });
    if (!removed.response.ok) throw new Error(`${way}: batch ${id} was not removed: ${removed.error?.message}`);
    figures.push(...measured);
    bench.say(
      `  accepted ${way}: ${measured.map(({ name, values }) => `${name} ${values[0]?.toFixed(1)}`).join(', ')}`,
    );
  }
  return figures;
}

async function accept(
  drover: MeasuredInstallation,
  request: components['schemas']['CamundaDeleteProcessInstances'],
  way: string,
): Promise<Accepted & { readonly figures: Figure[] }> {
  const { api } = drover;
  const before = { heap: await drover.apiHeapMb(), resident: residentMb(api) };
  const peak = { ...before };
  const watching = setInterval(async () => {
    peak.resident = Math.max(peak.resident, residentMb(api));
    peak.heap = Math.max(peak.heap, await drover.apiHeapMb().catch(() => 0));
  }, WATCH_EVERY_MS);
  const since = Date.now();
  const { id } = await bodyOf(drover.clientOf().http.POST('/engine-rest/process-instance/delete', { body: request }));
  const seconds = (Date.now() - since) / 1000;
  clearInterval(watching);
  const figure = (name: string, unit: string, value: number): Figure => ({
    name: `${name}, ${way}`,
    unit,
    values: [value],
  });
  const figures = [
    figure('until accepted', 's', seconds),
    figure('API heap before', 'MB', before.heap),
    figure('API heap at its peak', 'MB', peak.heap),
    figure('API heap after', 'MB', await drover.apiHeapMb()),
    figure('API resident before', 'MB', before.resident),
    figure('API resident at its peak', 'MB', peak.resident),
    figure('API resident after', 'MB', residentMb(api)),
  ];
  return { id, seconds, figures };
}

/** Accepts a deletion and only then starts a worker, which runs it. */
async function endThem(
  bench: Bench,
  drover: MeasuredInstallation,
  request: components['schemas']['CamundaDeleteProcessInstances'],
  count: number,
  way: string,
): Promise<Figure[]> {
  const { id } = await accept(drover, request, way);
  const worker = await drover.addWorker();
  const { temporal, mongo } = bench.servers;
  const processes = [
    { name: 'worker', process: worker },
    { name: 'Temporal', process: temporal },
    { name: 'MongoDB', process: mongo },
  ].flatMap(({ name, process }) => (process ? [{ name, process, before: cpuMsOf(process) }] : []));
  const since = Date.now();
  const start = residentMb(worker);
  let peak = start;
  let statistics = 0;
  let checks = 0;
  const watching = setInterval(async () => {
    peak = Math.max(peak, residentMb(worker));
    // every half a minute, so that the answers cost what is measured little
    if (checks++ % 300 !== 50) return;
    const asked = Date.now();
    const params = { query: { batchId: id } };
    const answer = await drover
      .clientOf()
      .http.GET('/engine-rest/batch/statistics', { params })
      .then(({ data }) => data?.[0])
      .catch(() => undefined);
    statistics = Math.max(statistics, Date.now() - asked);
    bench.say(`  ${way}, after ${Math.round((Date.now() - since) / 1000)} s: ${JSON.stringify(answer)}`);
  }, WATCH_EVERY_MS);
  const seconds = secondsUntilEnd(since, await drover.ended([id]));
  clearInterval(watching);
  const figure = (name: string, unit: string, value: number): Figure => ({
    name: `${name}, ${way}`,
    unit,
    values: [value],
  });
  return [
    figure('terminations', 'executions/s', count / seconds),
    ...processes.map(({ name, process, before }) =>
      figure(`CPU of ${name}`, 'ms an execution', (cpuMsOf(process) - before) / count),
    ),
    figure('worker resident at its start', 'MB', start),
    figure('worker resident at its peak', 'MB', peak),
    figure('longest answer of its statistics', 'ms', statistics),
    ...(await historyOf(drover, id)).map(({ name, unit, value }) => figure(name, unit, value)),
  ];
}

async function historyOf(
  drover: MeasuredInstallation,
  batchId: string,
): Promise<{ name: string; unit: string; value: number }[]> {
  const runs: WorkflowExecutionInfo[] = [];
  const { workflow } = drover.client;
  await workflow.getHandle(batchWorkflowId(batchId)).result();
  for (let attempt = 0; attempt < 50 && !runs.some(({ closeTime }) => closeTime); attempt++) {
    runs.length = 0;
    for await (const run of workflow.list({ query: `WorkflowId = '${batchWorkflowId(batchId)}'` })) runs.push(run);
    await sleep(WATCH_EVERY_MS);
  }
  return [
    { name: 'runs of the workflow', unit: '', value: runs.length },
    { name: 'events of the longest', unit: '', value: Math.max(...runs.map(({ historyLength }) => historyLength)) },
    { name: 'largest history', unit: 'kB', value: Math.max(...runs.map(({ historySize = 0 }) => historySize)) / 1000 },
  ];
}
