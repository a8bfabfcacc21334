import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { resourcesIn } from '../../../store/resources.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';

/** Tests the claim of docs/operations.md about backups: MongoDB alone is enough. */

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { RESOURCES_PER_ACTIVITY: '80' } });
  await drover.define('thing', { n: { type: 'number' }, parent: { $ref: 'reach:schemas/thing' } });
});
afterAll(() => drover.stop());

/** Deletes what Temporal loses with its database. */
async function loseExecution(batchId: string): Promise<void> {
  const { client } = drover.services;
  const workflowExecution = { workflowId: batchWorkflowId(batchId) };
  await client.workflowService.deleteWorkflowExecution({ namespace: client.options.namespace, workflowExecution });
  await vi.waitFor(
    async () =>
      expect(
        await client.workflow
          .getHandle(workflowExecution.workflowId)
          .describe()
          .catch(() => null),
      ).toBeNull(),
    { timeout: 15_000 },
  );
}

test('a batch whose workflow is lost in the middle continues, and nothing is applied twice', async () => {
  let applied = 0;
  let reachHalf = (): void => undefined;
  const half = new Promise<void>((resolve) => {
    reachHalf = resolve;
  });
  drover.atCheckpoint(async (at) => {
    if (at === 'outcomes-stored') applied += 1;
    if (applied < 3) return;
    reachHalf();
    if (at === 'intent-laid') await new Promise(() => undefined);
  });
  const id = await drover.upload(
    'thing',
    Array.from({ length: 400 }, (_, n) => ({ externalId: `r${n}`, n })),
  );
  await half;
  await drover.stopWorker();
  await loseExecution(id);
  const { succeeded = 0, queued = 0 } = (await drover.batch(id)).counts;
  expect([succeeded > 0, queued > 0]).toEqual([true, true]);
  drover.atCheckpoint(undefined);
  await drover.startWorker();
  await recoverNow(drover);
  const batch = await drover.ended(id);
  expect(batch.status).toBe('success');
  expect(batch.actions).toMatchObject({ created: 400, updated: 0, unchanged: 0 });
  const stored = await resourcesIn(drover.services.database)
    .find({}, { projection: { version: 1 } })
    .toArray();
  expect(stored.map(({ version }) => version)).toEqual(Array.from({ length: 400 }, () => 1));
}, 90_000);

test('a retry whose workflow is lost between outcomes and wake-ups continues, and batches that wait are woken', async () => {
  const waiter = await drover.upload('thing', [{ externalId: 'waits', parent: 'retried' }], {
    dependencyWaitTimeout: 600,
  });
  await drover.waiting(waiter);
  const id = await drover.upload('thing', [
    { externalId: 'retried', parent: 'late' },
    { externalId: 'never', parent: 'nobody' },
  ]);
  expect((await drover.ended(id)).status).toBe('failed');
  await drover.ended(await drover.upload('thing', [{ externalId: 'late' }]));
  const lost = new Promise<void>((resolve) => {
    drover.atCheckpoint(async (at, batchId) => {
      if (at !== 'registered' || batchId !== id) return;
      await loseExecution(id);
      resolve();
      throw new Error('the process has died');
    });
  });
  expect((await drover.request('POST', `/api/batches/${id}/retry`)).status).toBe(202);
  await lost;
  drover.atCheckpoint(undefined);
  await recoverNow(drover);
  expect((await drover.ended(waiter)).status).toBe('success');
  expect((await drover.ended(id)).counts).toMatchObject({ succeeded: 1, failed: 1 });
}, 90_000);

test('a waiting batch continues to wait, with its old deadline', async () => {
  const id = await drover.upload('thing', [{ externalId: 'child', parent: 'mother' }], { dependencyWaitTimeout: 600 });
  const { pendingUntil } = await drover.waiting(id);
  await loseExecution(id);
  await recoverNow(drover);
  await drover.until(id, (batch) => batch.source === 'workflow' && batch.status === 'waiting');
  expect((await drover.batch(id)).pendingUntil).toBe(pendingUntil);
  await drover.upload('thing', [{ externalId: 'mother' }]);
  expect((await drover.ended(id)).status).toBe('success');
}, 90_000);
