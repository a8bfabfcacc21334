import { ServiceError } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { createApp } from '../../../api/app.ts';
import type { Services } from '../../../api/http/context.ts';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { TcpProxy } from '../../../testkit/proxy.ts';
import { Drover } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';

/**
 * While an API process cannot reach Temporal, a control request is answered 200 when it is stored, and takes effect from
 * then on; or it is answered 503, and nothing is stored. Workers reach Temporal, which shows that the stored request alone stops them.
 */

/** A caller gets its answer within 5 s. */
const LIMIT_MS = 5_000;
/** Resources of one slice, which may be at work when the answer arrives. */
const SLICE = 100;
const TEST_MS = 120_000;

let temporal: TcpProxy;
/** Workers, and an API, that reach every server. */
let well: Drover;
/** An API whose connection to Temporal is cut. */
let cut: Drover;
beforeAll(async () => {
  temporal = await TcpProxy.start({ to: inject('temporalAddress') });
  well = await Drover.start({ environment: { ACTIVITY_TIMEOUT_SECONDS: '60', RESOURCES_PER_ACTIVITY: '1000' } });
  cut = await Drover.start({
    worker: false,
    environment: {
      MONGODB_DATABASE: well.config.MONGODB_DATABASE,
      TEMPORAL_TASK_QUEUE: well.config.TEMPORAL_TASK_QUEUE,
      TEMPORAL_ADDRESS: temporal.address,
    },
  });
  await well.define('town', { name: { type: 'string' }, near: { $ref: 'reach:schemas/town' } });
});
afterEach(async () => {
  well.atCheckpoint(undefined);
  await temporal.pass();
});
afterAll(async () => {
  await cut.stop();
  await well.stop();
  await temporal.stop();
});

const towns = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ externalId: `${prefix}-${n}`, name: 'Town' }));
const stored = (prefix: string): Promise<number> =>
  resourcesIn(well.services.database).countDocuments({ externalId: new RegExp(`^${prefix}-`) });
const documentOf = (id: string) => batchesIn(well.services.database).findOne({ _id: id });

/** The answer of the API without Temporal, in time. */
async function ask(method: string, path: string, body?: unknown): Promise<{ status: number; data: BatchView }> {
  const started = performance.now();
  const response = await cut.app.request(path, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  expect(performance.now() - started).toBeLessThan(LIMIT_MS);
  return { status: response.status, data: text === '' ? undefined : JSON.parse(text).data };
}
const act = (verb: string, id: string) => ask('POST', `/api/batches/${id}/${verb}`);

/** A batch of a thousand whose first slice is being written. @returns its id, and a function that releases it. */
async function inTheMiddle(prefix: string): Promise<{ id: string; open: () => void }> {
  let [arrive, open] = [(): void => undefined, (): void => undefined];
  const held = new Promise<void>((resolve) => (arrive = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  well.atCheckpoint(async (at) => {
    if (at !== 'inserted') return;
    arrive();
    await opened;
  });
  const id = await well.upload('town', towns(prefix, 1_000));
  await held;
  return { id, open };
}

describe.each<'refuse' | 'hang'>(['refuse', 'hang'])('an API whose connections to Temporal %s', (mode) => {
  test('suspends and resumes: the stored request stops the workers, and recovery delivers it to the workflow', {
    timeout: TEST_MS,
  }, async () => {
    const prefix = `halted-${mode}`;
    const { id, open } = await inTheMiddle(prefix);
    temporal[mode]();
    const { status, data } = await act('suspend', id);
    expect([status, data]).toMatchObject([
      200,
      { batchId: id, suspended: true, status: 'processing', source: 'store' },
    ]);
    expect(await documentOf(id)).toMatchObject({ suspended: true, asked: { told: false } });
    open();
    const { counts } = await well.until(id, (batch) => batch.counts.succeeded > 0);
    expect(counts).toMatchObject({ succeeded: SLICE, queued: 1_000 - SLICE });
    await well.ended(await well.upload('town', towns(`behind-${prefix}`, 10)));
    expect(await stored(prefix)).toBe(SLICE);

    await recoverNow(well);
    await well.until(id, (batch) => batch.source === 'workflow' && batch.suspended);
    expect(await documentOf(id)).toMatchObject({ suspended: true, asked: { told: true } });
    const resumed = await act('resume', id);
    expect([resumed.status, resumed.data]).toMatchObject([200, { suspended: false, source: 'store' }]);
    await recoverNow(well);
    expect(await well.ended(id)).toMatchObject({ status: 'success', actions: { created: 1_000, updated: 0 } });
  });

  test('cancels: the stored request stops the workers, and recovery ends the batch', { timeout: TEST_MS }, async () => {
    const prefix = `short-${mode}`;
    const { id, open } = await inTheMiddle(prefix);
    temporal[mode]();
    const { status, data } = await act('cancel', id);
    expect([status, data]).toMatchObject([200, { batchId: id, source: 'store' }]);
    expect((await act('cancel', id)).status).toBe(200);
    open();
    await well.until(id, (batch) => batch.counts.succeeded > 0);
    await recoverNow(well);
    expect(await well.ended(id)).toMatchObject({
      status: 'cancelled',
      counts: { succeeded: SLICE, cancelled: 1_000 - SLICE },
    });
    expect(await stored(prefix)).toBe(SLICE);
  });

  test('removes: the batch is a 404 and writes no more, and recovery removes the rest', {
    timeout: TEST_MS,
  }, async () => {
    const prefix = `gone-${mode}`;
    const { id, open } = await inTheMiddle(prefix);
    temporal[mode]();
    expect((await ask('DELETE', `/api/batches/${id}`)).status).toBe(200);
    expect((await ask('GET', `/api/batches/${id}`)).status).toBe(404);
    open();
    while ((await documentOf(id)) !== null) await recoverNow(well);
    expect(await stored(prefix)).toBe(SLICE);
  });

  test('does not retry, and leaves the batch as it was', { timeout: TEST_MS }, async () => {
    const id = await well.upload('town', [{ externalId: `again-${mode}`, near: `later-${mode}` }]);
    await well.ended(id);
    await expect.poll(async () => (await documentOf(id))?.unstarted).toBeUndefined();
    const before = await documentOf(id);
    temporal[mode]();
    expect((await act('retry', id)).status).toBe(503);
    expect(await documentOf(id)).toEqual(before);
  });

  test('answers 202 if Temporal is lost after a retry is stored, and recovery starts the retry', {
    timeout: TEST_MS,
  }, async () => {
    const id = await well.upload('town', [{ externalId: `lost-${mode}`, near: `found-${mode}` }]);
    await well.ended(id);
    await well.ended(await well.upload('town', [{ externalId: `found-${mode}` }]));
    temporal[mode]();
    const lately = createApp({ ...cut.services, assertStarts: () => Promise.resolve() });
    const response = await lately.request(`/api/batches/${id}/retry`, { method: 'POST' });
    expect([response.status, await response.json()]).toMatchObject([202, { data: { status: 'queued' } }]);
    expect(await documentOf(id)).toMatchObject({ run: 2, unstarted: true });
    await recoverNow(well);
    expect((await well.ended(id)).status).toBe('success');
  });

  test('suspends, resumes and removes terminations through the Camunda façade, and retries none', {
    timeout: TEST_MS,
  }, async () => {
    await well.stopWorker();
    const path = '/engine-rest/process-instance/delete';
    const begin = async (): Promise<{ id: string; batchJobDefinitionId: string }> => {
      const body = { processInstanceIds: [`nobody-${mode}`] };
      const headers = { 'content-type': 'application/json' };
      const response = await well.app.request(path, { method: 'POST', headers, body: JSON.stringify(body) });
      return (await response.json()) as { id: string; batchJobDefinitionId: string };
    };
    const [{ id, batchJobDefinitionId }, { id: removed }] = [await begin(), await begin()];
    temporal[mode]();
    const suspend = (suspended: boolean) => ask('PUT', `/engine-rest/batch/${id}/suspended`, { suspended });
    expect((await suspend(true)).status).toBe(204);
    expect((await ask('DELETE', `/engine-rest/batch/${removed}?cascade=true`)).status).toBe(204);
    expect((await ask('GET', `/engine-rest/batch/${removed}`)).status).toBe(404);
    await well.startWorker();
    await recoverNow(well);
    await well.until(id, (batch) => batch.source === 'workflow' && batch.suspended);
    while ((await documentOf(removed)) !== null) await recoverNow(well);
    expect((await well.batch(id)).counts).toMatchObject({ queued: 1 });
    expect((await suspend(false)).status).toBe(204);
    await recoverNow(well);
    expect((await well.ended(id)).counts).toMatchObject({ failed: 1 });
    const retry = await ask('PUT', `/engine-rest/job-definition/${batchJobDefinitionId}/retries`, { retries: 1 });
    expect([retry.status, (await documentOf(id))?.run]).toEqual([503, 1]);
  });

  test('answers many control requests for many batches in time', { timeout: TEST_MS }, async () => {
    const ids: string[] = [];
    for (let n = 0; n < 30; n++) {
      ids.push(
        await well.upload('town', [{ externalId: `many-${mode}-${n}`, near: 'void' }], { dependencyWaitTimeout: 600 }),
      );
    }
    temporal[mode]();
    const verbs = ['suspend', 'cancel', 'delete'] as const;
    const answers = await Promise.all(
      ids.map((id, n) => {
        const verb = verbs[n % verbs.length] ?? 'suspend';
        return verb === 'delete' ? ask('DELETE', `/api/batches/${id}`) : act(verb, id);
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 200));
    while ((await documentOf(ids.at(-1) ?? '')) !== null) await recoverNow(well);
  });
});

/** The API with a simulated Temporal that answers each signal and start in this way. */
function refusing(code: number, details: string) {
  const cause = Object.assign(new Error(details), { code, details, metadata: {} });
  const refuse = () => Promise.reject(new ServiceError('refused', { cause }));
  const { client } = well.services;
  const workflow = Object.create(client.workflow, {
    start: { value: refuse },
    getHandle: { value: (id: string) => ({ ...client.workflow.getHandle(id), signal: refuse }) },
  });
  const services: Services = { ...well.services, client: Object.create(client, { workflow: { value: workflow } }) };
  return createApp(services);
}

describe.each([
  ['has enough to do', 8, 'namespace rate limit exceeded'],
  ['lets the execution have no more signals', 3, 'exceeded workflow execution limit for signal events'],
])('a Temporal that %s', (_, code, details) => {
  test.each([
    ['suspend', { suspended: true }],
    ['resume', { suspended: false }],
    ['cancel', { cancelRequested: true }],
  ])('%s is a 200 with what is stored, and is delivered later', { timeout: TEST_MS }, async (verb, request) => {
    const waits = { externalId: `${verb}-${code}`, near: 'void' };
    const id = await well.upload('town', [waits], { dependencyWaitTimeout: 600 });
    await well.waiting(id);
    const response = await refusing(code, details).request(`/api/batches/${id}/${verb}`, { method: 'POST' });
    expect([response.status, await response.json()]).toMatchObject([200, { data: { batchId: id, source: 'store' } }]);
    expect(await documentOf(id)).toMatchObject({ ...request, asked: { told: false } });
    await recoverNow(well);
    if (verb === 'cancel') expect((await well.ended(id)).status).toBe('cancelled');
    else await expect.poll(async () => (await documentOf(id))?.asked?.told).toBe(true);
  });
});

test('a retry whose start Temporal refuses as busy is a 202, and is started later', { timeout: TEST_MS }, async () => {
  const id = await well.upload('town', [{ externalId: 'crowded', near: 'room' }]);
  await well.ended(id);
  await well.ended(await well.upload('town', [{ externalId: 'room' }]));
  const path = `/api/batches/${id}/retry`;
  const response = await refusing(8, 'namespace rate limit exceeded').request(path, { method: 'POST' });
  expect(response.status).toBe(202);
  expect(await documentOf(id)).toMatchObject({ run: 2, unstarted: true });
  await recoverNow(well);
  expect((await well.ended(id)).status).toBe('success');
});
