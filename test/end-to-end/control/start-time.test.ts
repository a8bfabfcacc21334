import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { batchesIn, readBatch } from '../../../store/batches/batches.ts';
import { batchWorkflowId, suspendSignal } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { acceptedUpload, recoverNow, tracesOf } from '../../harness/left-behind.ts';
import * as imports from '../imports/imports.ts';

const HOUR_MS = 3_600_000;

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('train', { n: { type: 'number' } });
});
afterAll(() => drover.stop());

const act = (verb: string, id: string) => drover.request<BatchView>('POST', `/api/batches/${id}/${verb}`);
const handleOf = (id: string) => drover.services.client.workflow.getHandle(batchWorkflowId(id));
const later = (ms: number): Date => new Date(Date.now() + ms);
const uploadAt = (name: string, startAt: Date): Promise<string> =>
  drover.upload('train', [{ externalId: name }], { startAt: startAt.toISOString() });
const isThere = async (name: string): Promise<boolean> =>
  (await drover.request('GET', `/api/resources/train/${name}`)).status === 200;

/** When Temporal dispatches the first task of an execution. */
async function executionTimeOf(id: string): Promise<number> {
  const { raw } = await handleOf(id).describe();
  return Number(raw.workflowExecutionInfo?.executionTime?.seconds ?? 0) * 1000;
}

test('a batch begins at its start time, also one that is suspended and resumed before; one in the past begins at once', async () => {
  const past = await drover.ended(await uploadAt('past', later(-HOUR_MS)));
  expect(past).toMatchObject({ status: 'success', startAt: expect.any(String) });
  const startAt = later(5_000);
  const ids = await Promise.all(['a', 'resumed', 'suspended', 'woken'].map((name) => uploadAt(name, startAt)));
  const [plain = '', resumed = '', suspended = '', woken = ''] = ids;
  expect((await act('suspend', resumed)).status).toBe(200);
  expect((await act('suspend', suspended)).body.data).toMatchObject({ status: 'queued', suspended: true });
  expect((await act('resume', resumed)).body.data).toMatchObject({ status: 'queued', suspended: false });
  await handleOf(woken).signal(suspendSignal);
  await handleOf(woken).signal('resume');
  expect((await drover.batch(plain)).startAt).toBe(startAt.toISOString());
  for (const id of [plain, resumed, woken]) {
    const { status, startedAt = '' } = await drover.ended(id);
    expect(status).toBe('success');
    expect(new Date(startedAt).getTime()).toBeGreaterThanOrEqual(startAt.getTime());
  }
  expect(await isThere('suspended')).toBe(false);
  await act('resume', suspended);
  expect((await drover.ended(suspended)).status).toBe('success');
});

test('before its start time a batch is shown at once as queued, is cancelled, retried and removed', async () => {
  const [cancelled, removed] = await Promise.all(['x', 'y'].map((name) => uploadAt(name, later(HOUR_MS))));
  const begun = performance.now();
  expect(await drover.batch(cancelled ?? '')).toMatchObject({ status: 'queued', source: 'store' });
  expect(performance.now() - begun).toBeLessThan(1_500);
  expect((await act('cancel', cancelled ?? '')).status).toBe(200);
  expect(await drover.ended(cancelled ?? '')).toMatchObject({ status: 'cancelled', counts: { cancelled: 1 } });
  expect(await isThere('x')).toBe(false);
  // a retry is a request of now
  expect((await act('retry', cancelled ?? '')).status).toBe(202);
  expect((await drover.ended(cancelled ?? '')).status).toBe('success');
  expect((await drover.request('DELETE', `/api/batches/${removed}`)).status).toBe(200);
  await vi.waitFor(
    async () => {
      await recoverNow(drover);
      expect(await tracesOf(drover, removed ?? '')).toEqual([]);
    },
    { timeout: 20_000, interval: 200 },
  );
});

test('recovery starts a batch with its delay, and again if Temporal has lost it; until then it is neither begun nor finished', async () => {
  const startAt = later(HOUR_MS);
  const id = await acceptedUpload(drover, 'train', [{ externalId: 'recovered' }], { startAt });
  const { database } = drover.services;
  await batchesIn(database).updateOne({ _id: id }, { $set: { startDue: new Date(0) } });
  for (const isLost of [false, true]) {
    if (isLost) {
      const { runId } = await handleOf(id).describe();
      const workflowExecution = { workflowId: batchWorkflowId(id), runId };
      const { workflowService, options } = drover.services.client;
      await workflowService.deleteWorkflowExecution({ namespace: options.namespace, workflowExecution });
      await vi.waitFor(() => expect(handleOf(id).describe()).rejects.toThrow(), { timeout: 10_000 });
    }
    await recoverNow(drover);
    expect(await executionTimeOf(id)).toBeGreaterThan(startAt.getTime() - 5_000);
    // it has a workflow, and is not lost
    await recoverNow(drover);
    expect(await readBatch(database, id)).toMatchObject({ status: 'queued', run: 1 });
    expect((await readBatch(database, id))?.unstarted).toBeUndefined();
  }
  await drover.stopWorker();
  await drover.startWorker();
  expect(await drover.batch(id)).toMatchObject({ status: 'queued' });
  await act('cancel', id);
  expect((await drover.ended(id)).status).toBe('cancelled');
});

test('an import is received before its start time, and its rows are carried out from then on; it is cancelled before', async () => {
  const rows = imports.ndjson([{ externalId: 'row' }]);
  const startAt = later(2_500);
  const importId = await imports.started(drover, { schema: 'train', startAt: startAt.toISOString() }, rows);
  expect(await imports.view(drover, importId)).toMatchObject({ status: 'queued', startAt: startAt.toISOString() });
  const ended = await imports.until(drover, importId, ({ completedAt }) => completedAt !== undefined);
  expect(ended).toMatchObject({ status: 'success', counts: { succeeded: 1 } });
  const [batch] = await batchesIn(drover.services.database).find({ importId }).toArray();
  expect(batch?.createdAt.getTime()).toBeGreaterThanOrEqual(startAt.getTime());
  const cancelled = await imports.started(drover, { schema: 'train', startAt: later(HOUR_MS).toISOString() }, rows);
  await drover.request('POST', `/api/imports/${cancelled}/cancel`);
  const { status } = await imports.until(drover, cancelled, ({ completedAt }) => completedAt !== undefined);
  expect(status).toBe('cancelled');
});
