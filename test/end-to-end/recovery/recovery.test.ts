import { MockActivityEnvironment } from '@temporalio/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createActivityContext } from '../../../activities/activity-context.ts';
import { recover } from '../../../activities/recover.ts';
import { scopeKey } from '../../../domain/batch/scope.ts';
import { resourceKey } from '../../../domain/write/resource.ts';
import { decideGroup } from '../../../isolation/groups/groups.ts';
import { insertResources } from '../../../isolation/resources/write-resources.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { requestControl } from '../../../store/batches/control-requests.ts';
import { findSchemaDefinition } from '../../../store/definitions/schema-definitions.ts';
import { itemPagesIn, writeItemPages } from '../../../store/items/item-pages.ts';
import { type ResourceDocument, resourcesIn } from '../../../store/resources.ts';
import {
  batchWorkflowId,
  type RecoverResult,
  recoveryWorkflowId,
  SWEEP_WORKFLOW_TYPE,
  sweepScheduleId,
} from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { acceptedUpload, executionsOf, recoverNow, tracesOf, withTimeForResult } from '../../harness/left-behind.ts';

let drover: Drover;
beforeAll(async () => {
  // terminated executions are finished as soon as none of their activities can write any more
  drover = await Drover.start({ environment: { ACTIVITY_TIMEOUT_SECONDS: '4' } });
  await drover.define('pipe', { into: { $ref: 'reach:schemas/pipe' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const handleOf = (id: string) => drover.services.client.workflow.getHandle(batchWorkflowId(id));
const waitingBatch = async (name: string, into = `${name}-into`): Promise<string> => {
  const id = await drover.upload('pipe', [{ externalId: name, into }, { externalId: `${name}-ok` }], {
    dependencyWaitTimeout: 600,
  });
  await drover.waiting(id);
  return id;
};

/** Recovers until a batch has ended. */
async function recoveredToItsEnd(id: string) {
  const recoverAndCheck = async (): Promise<void> => {
    await recoverNow(drover);
    expect((await drover.batch(id)).completedAt).toBeDefined();
  };
  await vi.waitFor(recoverAndCheck, { timeout: 20_000, interval: 200 });
  return drover.batch(id);
}

/** A pass with settings other than the worker's. */
async function recoverWith(settings: {
  retentionDays?: number;
  activityTimeoutSeconds?: number;
}): Promise<RecoverResult> {
  const dependencies = createActivityContext({ ...drover.services, retentionDays: 30, ...settings });
  return new MockActivityEnvironment().run(() => recover(dependencies, { forMs: 0 }));
}

describe('a workflow that was terminated', () => {
  test('is finished after the time limit of its own activities, whatever the limit of the recovering worker', async () => {
    const id = await waitingBatch('own-time');
    await handleOf(id).terminate('by hand');
    await recoverWith({ activityTimeoutSeconds: 0 });
    expect((await drover.batch(id)).completedAt).toBeUndefined();
    expect((await recoveredToItsEnd(id)).status).toBe('cancelled');
  });

  test('leaves a cancelled batch, with its applied items, and no pending item', async () => {
    const id = await waitingBatch('cut');
    await handleOf(id).terminate('by hand');
    // a caller must not get a false answer: no workflow runs that could be suspended
    const { status, body } = await drover.request('POST', `/api/batches/${id}/suspend`);
    expect(status).toBe(409);
    expect(body.message).toContain('was ended in Temporal');
    expect(await recoveredToItsEnd(id)).toMatchObject({
      status: 'cancelled',
      counts: { succeeded: 1, cancelled: 1, pending: 0 },
    });
    expect((await drover.items(id))[0]).toMatchObject({ status: 'cancelled', errors: [{ code: 'cancelled' }] });
    expect((await tracesOf(drover, id)).filter((trace) => trace.startsWith('waits'))).toEqual([]);
    expect(await executionsOf(drover, id)).toHaveLength(1);
    // and the batch can be retried
    await drover.ended(await drover.upload('pipe', [{ externalId: 'cut-into' }]));
    expect((await drover.request('POST', `/api/batches/${id}/retry`)).status).toBe(202);
    expect((await drover.ended(id)).status).toBe('success');
  });

  test.each([
    ['an effect and its outcome', 'written'],
    ['an outcome and the wake-up of those who wait for it', 'registered'],
  ] as const)('between %s: the item has succeeded, and who waits goes on', async (_, moment) => {
    const waiter = await waitingBatch(`waiter-${moment}`, moment);
    const terminated = new Promise<string>((resolve) => {
      drover.atCheckpoint(async (at, batchId) => {
        if (at !== moment) return;
        await handleOf(batchId).terminate('by hand');
        resolve(batchId);
        throw new Error('the process has died');
      });
    });
    const id = await drover.upload('pipe', [{ externalId: moment }]);
    expect(await terminated).toBe(id);
    drover.atCheckpoint(undefined);
    expect(await recoveredToItsEnd(id)).toMatchObject({ status: 'cancelled', counts: { succeeded: 1, cancelled: 0 } });
    expect((await drover.ended(waiter)).status).toBe('success');
  });
});

test('a workflow that failed because of a bug: recovery fails what is left with `internal`, and a retry applies it', async () => {
  drover.atCheckpoint(async (at) => {
    if (at === 'intent-laid' || at === 'finishing') throw new Error('a bug');
  });
  const id = await drover.upload('pipe', [{ externalId: 'after-a-bug' }, { externalId: 'invalid', into: 7 }]);
  await expect.poll(async () => (await handleOf(id).describe()).status.name).toBe('FAILED');
  drover.atCheckpoint(undefined);
  expect(await recoveredToItsEnd(id)).toMatchObject({
    status: 'failed',
    counts: { failed: 2, queued: 0, cancelled: 0 },
  });
  expect((await drover.items(id))[0]).toMatchObject({ status: 'failed', errors: [{ code: 'internal' }] });
  expect((await drover.request('POST', `/api/batches/${id}/retry`)).status).toBe(202);
  expect((await drover.ended(id)).counts).toMatchObject({ succeeded: 1, failed: 1 });
});

describe('a workflow that was terminated in the middle of a cycle', () => {
  test('releases the items of other batches that it was applying together with its own', async () => {
    const other = await drover.upload('pipe', [{ externalId: 'left-end', into: 'right-end' }], {
      dependencyWaitTimeout: 600,
    });
    await drover.waiting(other);
    const terminated = new Promise<string>((resolve) => {
      let checking: string | undefined;
      drover.atCheckpoint(async (at, batchId) => {
        if (at === 'registered') checking = batchId;
        // the batch that came last applies the cycle, in the order in which the items became pending
        if (at !== 'intent-laid' || batchId !== other || checking === undefined) return;
        await handleOf(checking).terminate('by hand');
        resolve(checking);
        throw new Error('the process has died');
      });
    });
    const id = await drover.upload('pipe', [{ externalId: 'right-end', into: 'left-end' }], {
      dependencyWaitTimeout: 600,
    });
    expect(await terminated).toBe(id);
    drover.atCheckpoint(undefined);
    expect(await recoveredToItsEnd(id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 1 } });
    expect((await drover.batch(other)).status).toBe('waiting');
    await drover.ended(await drover.upload('pipe', [{ externalId: 'right-end' }]));
    expect((await drover.ended(other)).status).toBe('success');
  });

  test.each([
    ['no reader has seen does not exist afterwards', 'cancelled', 404],
    ['was visible has succeeded', 'succeeded', 200],
  ] as const)('a resource that it had inserted and that %s', async (_, status, read) => {
    const { database } = drover.services;
    const externalId = `half-${status}`;
    const id = await acceptedUpload(drover, 'pipe', [{ externalId }]);
    const definition = await findSchemaDefinition(database, 'default', 'pipe');
    const group = `batch-${id}/dead`;
    await insertResources(database, [uncommittedResource(id, definition?.id ?? '', externalId, group)]);
    if (status === 'succeeded') await decideGroup(database, group, 'committed');
    expect((await drover.request('POST', `/api/batches/${id}/cancel`)).status).toBe(200);
    await drover.ended(id);
    expect((await drover.items(id))[0]?.status).toBe(status);
    expect((await drover.request('GET', `/api/resources/pipe/${externalId}`)).status).toBe(read);
    expect(await resourcesIn(database).countDocuments({ hidden: group })).toBe(0);
  });
});

/** An uncommitted member of a cycle, as its activity inserts it. */
function uncommittedResource(
  batchId: string,
  schemaDefinitionId: string,
  externalId: string,
  hidden: string,
): ResourceDocument {
  const scope = { platform: 'default', tenant: 'default' };
  const now = new Date();
  return {
    _id: resourceKey(scope, schemaDefinitionId, externalId),
    id: uuidv7(),
    scope: scopeKey(scope),
    schemaDefinitionId,
    externalId,
    data: { externalId },
    references: [],
    version: 1,
    createdAt: now,
    updatedAt: now,
    writes: [{ batchId, index: 0, version: 1, action: 'created' }],
    hidden,
  };
}

test('a control request that was not delivered to the workflow is delivered', async () => {
  const id = await waitingBatch('deaf');
  await vi.waitFor(
    async () => expect((await batchesIn(drover.services.database).findOne({ _id: id }))?.status).toBe('waiting'),
    20_000,
  );
  // the state that an API process leaves if it dies between storing and signalling
  await requestControl(drover.services.database, id, { suspended: true });
  expect((await drover.batch(id)).suspended).toBe(false);
  await recoverNow(drover);
  expect((await drover.batch(id)).suspended).toBe(true);
  await requestControl(drover.services.database, id, { cancelRequested: true });
  await recoverNow(drover);
  expect((await drover.ended(id)).status).toBe('cancelled');
});

test('a batch that recovery cannot start does not delay the others', async () => {
  const { database } = drover.services;
  const first = await acceptedUpload(drover, 'pipe', [{ externalId: 'helped' }]);
  const template = await batchesIn(database).findOne({ _id: first });
  // no workflow id can be that long, and this batch comes before the other one
  const hopeless = `0${'x'.repeat(2_000)}`;
  if (template) await batchesIn(database).insertOne({ ...template, _id: hopeless });
  expect(await recoverNow(drover)).toMatchObject({ started: 1 });
  expect((await drover.ended(first)).status).toBe('success');
  await batchesIn(database).deleteOne({ _id: hopeless });
});

/** Passes without a pause use the time of a busy machine: all batches end, but not soon. */
const BESIDE_PASSES = { timeoutMs: 120_000 };

test('two passes at once do the same as one, and do no harm to a batch that is being accepted or finished', async () => {
  const left = await Promise.all(
    Array.from({ length: 5 }, (_, n) => acceptedUpload(drover, 'pipe', [{ externalId: `left-${n}` }])),
  );
  let isOver = false;
  const recovering = Promise.all(
    [1, 2].map(async () => {
      while (!isOver) await recoverNow(drover);
    }),
  );
  const uploads = await Promise.all(
    Array.from({ length: 15 }, async (_, n) => {
      const headers = { 'idempotency-key': `busy-${n}` };
      const id = await drover.upload('pipe', [{ externalId: `busy-${n}` }], {}, { headers });
      await drover.ended(id, BESIDE_PASSES);
      return id;
    }),
  );
  isOver = true;
  await recovering;
  for (const id of [...left, ...uploads]) {
    expect((await drover.ended(id, BESIDE_PASSES)).status).toBe('success');
    // visibility lags
    await expect.poll(() => executionsOf(drover, id), { timeout: 20_000 }).toHaveLength(1);
  }
  expect(await recoverNow(drover)).toMatchObject({ started: 0, inserted: 0, delivered: 0, finished: 0, purged: 0 });
}, 180_000);

test('finished batches are removed after their retention; 0 keeps them', async () => {
  const { database } = drover.services;
  const finished = async (name: string, daysAgo: number): Promise<string> => {
    const id = await drover.upload('pipe', [{ externalId: name }]);
    await drover.ended(id);
    await batchesIn(database).updateOne(
      { _id: id },
      { $set: { completedAt: new Date(Date.now() - daysAgo * DAY_MS) } },
    );
    return id;
  };
  const [old, young] = await Promise.all([finished('old', 31), finished('young', 29)]);
  await recoverWith({ retentionDays: 0 });
  expect((await drover.batch(old)).status).toBe('success');
  expect((await recoverNow(drover)).purged).toBe(1);
  expect((await drover.request('GET', `/api/batches/${old}`)).status).toBe(404);
  expect(await tracesOf(drover, old)).toEqual([]);
  expect((await drover.batch(young)).status).toBe('success');
  expect((await drover.request('GET', '/api/resources/pipe/old')).status).toBe(200);
});

test('pages of a batch that was never accepted are removed when no process can still be accepting it', async () => {
  const { database } = drover.services;
  const pagesOf = async (id: string) => (await tracesOf(drover, id)).length;
  const orphan = async (ageMs: number): Promise<string> => {
    const id = uuidv7({ msecs: Date.now() - ageMs });
    await writeItemPages(database, { batchId: id }, [{ externalId: 'a' }, { externalId: 'b' }], 1);
    return id;
  };
  const accepted = await drover.upload('pipe', [{ externalId: 'accepted' }]);
  // earlier passes have covered this time already, when there was nothing yet
  await itemPagesIn(database).db.collection('swept').deleteMany({});
  const [old, older, young] = [
    await orphan(HOUR_MS + 60_000),
    await orphan(3 * HOUR_MS),
    await orphan(HOUR_MS - 60_000),
  ];
  await recoverNow(drover);
  expect([await pagesOf(old), await pagesOf(older), await pagesOf(young)]).toEqual([0, 0, 2]);
  expect(await itemPagesIn(database).countDocuments({ _id: new RegExp(`^${accepted}`) })).toBe(1);
});

test('a worker that starts ensures that one recovery runs for all workers, and removes the schedule of earlier versions', async () => {
  const fresh = await Drover.start({ worker: false });
  const { client, taskQueue } = fresh.services;
  const recovery = client.workflow.getHandle(recoveryWorkflowId(taskQueue));
  const scheduleId = sweepScheduleId(taskQueue);
  await client.schedule.create({
    scheduleId,
    spec: { intervals: [{ every: '1h' }] },
    action: { type: 'startWorkflow', workflowType: SWEEP_WORKFLOW_TYPE, taskQueue, workflowId: scheduleId },
  });
  await fresh.define('pipe', {});
  const id = await acceptedUpload(fresh, 'pipe', [{ externalId: 'first' }]);
  await fresh.startWorker({ withRecovery: true });
  expect((await fresh.ended(id, { timeoutMs: 20_000 })).status).toBe('success');
  await vi.waitFor(() => expect(client.schedule.getHandle(scheduleId).describe()).rejects.toThrow(), 10_000);
  const { runId } = await recovery.describe();
  // a worker that stops ends its activity, and another worker continues the same execution
  const stopping = Date.now();
  await fresh.stopWorker();
  expect(Date.now() - stopping).toBeLessThan(10_000);
  const second = await acceptedUpload(fresh, 'pipe', [{ externalId: 'second' }]);
  await fresh.startWorker({ withRecovery: true });
  expect((await fresh.ended(second, { timeoutMs: 30_000 })).status).toBe('success');
  expect(await recovery.describe()).toMatchObject({ runId, status: { name: 'RUNNING' } });
  // a terminated recovery is started again, at the latest by the next worker
  await recovery.terminate('by hand');
  await fresh.stopWorker();
  const third = await acceptedUpload(fresh, 'pipe', [{ externalId: 'third' }]);
  await fresh.startWorker({ withRecovery: true });
  expect((await fresh.ended(third, { timeoutMs: 30_000 })).status).toBe('success');
  expect((await recovery.describe()).runId).not.toBe(runId);
  expect(await recovery.describe().then((described) => described.staticSummary())).toContain('recovery');
  await recovery.terminate('the test is over');
  await fresh.stop();
}, 120_000);

test('a pass that an earlier version has begun comes to its end', async () => {
  const { client, taskQueue } = drover.services;
  const id = await acceptedUpload(drover, 'pipe', [{ externalId: 'of-old' }]);
  const workflowId = `${sweepScheduleId(taskQueue)}-of-old`;
  const pass = () => client.workflow.execute(SWEEP_WORKFLOW_TYPE, { taskQueue, workflowId });
  expect(await withTimeForResult(drover, pass)).toMatchObject({ started: 1 });
  expect((await drover.ended(id)).status).toBe('success');
});
