import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { acceptedUpload, executionsOf, recoverNow, tracesOf } from '../../harness/left-behind.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { ACTIVITY_TIMEOUT_SECONDS: '4' } });
  await drover.define('ship', { port: { $ref: 'reach:schemas/ship' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

const remove = (id: string, tenant?: string) =>
  drover.request('DELETE', `/api/batches/${id}`, { ...(tenant && { tenant }) });
const act = (verb: string, id: string) => drover.request('POST', `/api/batches/${id}/${verb}`);
const handleOf = (id: string) => drover.services.client.workflow.getHandle(batchWorkflowId(id));
const waitingBatch = async (name: string): Promise<string> => {
  const id = await drover.upload('ship', [{ externalId: name, port: 'nowhere' }], { dependencyWaitTimeout: 600 });
  await drover.waiting(id);
  return id;
};

async function expectGone(id: string, runs: readonly string[] = []): Promise<void> {
  const paths = ['', '/items', '/events'].map((path) => ['GET', `/api/batches/${id}${path}`] as const);
  const verbs = ['suspend', 'resume', 'cancel', 'retry'].map((verb) => ['POST', `/api/batches/${id}/${verb}`] as const);
  for (const [method, path] of [...paths, ...verbs, ['DELETE', `/api/batches/${id}`] as const]) {
    const { status, body } = await drover.request(method, path);
    expect([path, status]).toEqual([path, 404]);
    expect(body).toMatchObject({ success: false, data: { error: expect.any(String) } });
  }
  expect(await tracesOf(drover, id)).toEqual([]);
  // Temporal deletes an execution a moment later
  await vi.waitFor(async () => expect(await executionsOf(drover, id, runs)).toEqual([]), {
    timeout: 20_000,
    interval: 100,
  });
}

async function untilSwept(id: string): Promise<void> {
  const recoverAndCheck = async (): Promise<void> => {
    await recoverNow(drover);
    expect(await tracesOf(drover, id)).toEqual([]);
  };
  await vi.waitFor(recoverAndCheck, { timeout: 20_000, interval: 200 });
}

test('a retried batch is removed completely, with all of its executions, and its resources stay', async () => {
  const id = await drover.upload('ship', [{ externalId: 'stays' }, { externalId: 'lacks', port: 'nowhere' }]);
  await drover.ended(id);
  const runs = [(await handleOf(id).describe()).runId];
  for (let retry = 0; retry < 2; retry++) {
    await act('retry', id);
    await drover.ended(id);
    runs.push((await handleOf(id).describe()).runId);
  }
  expect(new Set(runs).size).toBe(3);
  const { status, body } = await remove(id);
  expect(status).toBe(200);
  expect(body).toEqual({ success: true, message: 'Batch deleted', data: { batchId: id } });
  await expectGone(id, runs);
  const { body: list } = await drover.request<{ results: { batchId: string }[] }>('GET', '/api/batches?limit=100');
  expect(list.data.results.map((batch) => batch.batchId)).not.toContain(id);
  expect((await drover.request('GET', '/api/resources/ship/stays')).status).toBe(200);
});

test('a batch that waits is cancelled first, and its waits are removed', async () => {
  const id = await waitingBatch('waits');
  const { runId } = await handleOf(id).describe();
  expect((await remove(id)).status).toBe(200);
  await expectGone(id, [runId]);
});

test('a batch in the middle of its work finishes the slice that it has begun, and is removed', async () => {
  const { reached, open } = drover.holdAt('inserted');
  const id = await drover.upload('ship', [{ externalId: 'begun' }]);
  await reached;
  const removed = remove(id);
  await vi.waitFor(async () => expect((await drover.request('GET', `/api/batches/${id}`)).status).toBe(404), 20_000);
  open();
  expect((await removed).status).toBe(200);
  await expectGone(id);
  expect((await drover.request('GET', '/api/resources/ship/begun')).status).toBe(200);
});

test('a batch whose workflow was never started is removed', async () => {
  const id = await acceptedUpload(drover, 'ship', [{ externalId: 'never' }]);
  expect((await remove(id)).status).toBe(200);
  await expectGone(id);
  expect(await recoverNow(drover)).toMatchObject({ started: 0 });
  expect((await drover.request('GET', '/api/resources/ship/never')).status).toBe(404);
});

test('one of several concurrent requests deletes the batch, and another tenant cannot', async () => {
  const id = await waitingBatch('once');
  expect((await remove(id, 'other')).status).toBe(404);
  expect((await drover.batch(id)).status).toBe('waiting');
  const answers = await Promise.all(Array.from({ length: 5 }, () => remove(id)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404, 404, 404]);
  await expectGone(id);
});

test('a batch whose workflow was terminated is finished and removed by recovery', async () => {
  const id = await waitingBatch('shot');
  await handleOf(id).terminate();
  expect((await remove(id)).status).toBe(200);
  expect((await remove(id)).status).toBe(404);
  await untilSwept(id);
  await expectGone(id);
});

test('without any worker the answer is still 200, and recovery removes the batch later', async () => {
  await drover.stopWorker();
  const id = await drover.upload('ship', [{ externalId: 'idle' }]);
  expect((await remove(id)).status).toBe(200);
  expect((await drover.request('GET', `/api/batches/${id}`)).status).toBe(404);
  await drover.startWorker();
  await untilSwept(id);
  await expectGone(id);
  expect((await drover.request('GET', '/api/resources/ship/idle')).status).toBe(404);
});
