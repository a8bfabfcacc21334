import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../harness/drover.ts';

/** Enough to be finished by an activity, not inside a workflow task. */
const ITEMS = 120;

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ worker: false, environment: { WORKER_TASKS: 'workflows' } });
  await drover.define('thing', { n: { type: 'number' } });
});
afterAll(() => drover.stop());

const things = Array.from({ length: ITEMS }, (_, n) => ({ externalId: `thing-${n}`, n }));

test('a worker of workflows answers for a batch and leaves its activities to a worker of activities', async () => {
  await drover.startWorker();
  const id = await drover.upload('thing', things);
  const handle = drover.services.client.workflow.getHandle(`batch-${id}`);
  const scheduled = await pendingActivities(id);
  expect(scheduled).toEqual([{ name: 'applyItems', attempt: 1, isStarted: false }]);
  expect(await handle.query('status')).toMatchObject({ status: 'processing', counts: { queued: ITEMS } });

  const activities = await Drover.start({
    environment: {
      WORKER_TASKS: 'activities',
      MONGODB_DATABASE: drover.config.MONGODB_DATABASE,
      TEMPORAL_TASK_QUEUE: drover.config.TEMPORAL_TASK_QUEUE,
    },
  });
  try {
    expect(await drover.ended(id)).toMatchObject({ status: 'success', counts: { succeeded: ITEMS } });
    // while the worker of workflows is stopped, the other one takes no workflow task
    await drover.stopWorker();
    const alone = await drover.upload('thing', things);
    // a worker that ran the workflow would answer, or would have applied the batch
    expect(await drover.batch(alone)).toMatchObject({ status: 'queued', source: 'store' });
    await drover.startWorker();
    expect(await drover.ended(alone)).toMatchObject({ status: 'success', actions: { unchanged: ITEMS } });
  } finally {
    await activities.stop();
  }
});

async function pendingActivities(batchId: string) {
  const handle = drover.services.client.workflow.getHandle(`batch-${batchId}`);
  for (;;) {
    const { raw } = await handle.describe();
    const pending = raw.pendingActivities ?? [];
    if (pending.length > 0)
      return pending.map((activity) => ({
        name: activity.activityType?.name,
        attempt: activity.attempt,
        isStarted: activity.state === STARTED,
      }));
    await sleep(20);
  }
}

/** Temporal's `PENDING_ACTIVITY_STATE_STARTED`. */
const STARTED = 2;
