import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { schemaDefinitionsIn } from '../../../store/definitions/schema-definitions.ts';
import { batchWorkflowId, type WorkResult } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { expectReplays } from '../../harness/histories.ts';

let drover: Drover;
let activities: Drover;
beforeAll(async () => {
  const environment = { RESOURCES_PER_ACTIVITY: '5' };
  drover = await Drover.start({ environment: { ...environment, WORKER_TASKS: 'workflows' } });
  activities = await Drover.start({
    environment: {
      ...environment,
      WORKER_TASKS: 'activities',
      MONGODB_DATABASE: drover.config.MONGODB_DATABASE,
      TEMPORAL_TASK_QUEUE: drover.config.TEMPORAL_TASK_QUEUE,
    },
  });
});
afterAll(async () => {
  await activities.stop();
  await drover.stop();
});

test('items that refer to each other only under a new version are planned by that version, whatever a worker has cached', async () => {
  await drover.define('link', { name: { type: 'string' } });
  // the worker of workflows plans by the first version, and never writes
  expect((await drover.ended(await drover.upload('link', [{ externalId: 'first' }]))).status).toBe('success');

  const schema = { type: 'object', properties: { name: { type: 'string' }, next: { $ref: 'reach:schemas/link' } } };
  const changed = await drover.request('PUT', '/partner/schema-definitions/link', { body: { schema } });
  expect(changed.status).toBe(200);

  const chain = Array.from({ length: 50 }, (_, n) => ({ externalId: `c${n}`, ...(n < 49 && { next: `c${n + 1}` }) }));
  const id = await drover.upload('link', chain);
  expect(await drover.ended(id)).toMatchObject({ status: 'success', counts: { succeeded: 50 } });
  // a worker that has written by the first version finds the second by itself: nothing is planned again
  const { events } = await drover.services.client.workflow.getHandle(batchWorkflowId(id)).fetchHistory();
  const results = events?.flatMap((event) => event.activityTaskCompletedEventAttributes?.result?.payloads ?? []) ?? [];
  const applied = results.map((payload) => defaultPayloadConverter.fromPayload<WorkResult>(payload));
  expect(applied.length).toBeGreaterThan(0);
  expect(applied.filter(({ isOutdated }) => isOutdated)).toEqual([]);
});

const N = 50;
const LINKED = { type: 'object', properties: { name: { type: 'string' }, next: { $ref: 'reach:schemas/NAME' } } };

test.each([
  ['a chain', 'chained', (n: number) => (n < N - 1 ? { next: `c${n + 1}` } : {})],
  ['a cycle', 'ringed', (n: number) => ({ next: `c${(n + 1) % N}` })],
])(
  'items that a new version makes %s, between their plan and their writes, are planned again by that version',
  async (_, name, link) => {
    await drover.define(name, { name: { type: 'string' } });
    await drover.ended(await drover.upload(name, [{ externalId: 'first' }]));
    await activities.stopWorker();
    const items = Array.from({ length: N }, (_unused, n) => ({ externalId: `c${n}`, ...link(n) }));
    // a failing item does not prevent that its neighbours are planned again, each once
    const id = await drover.upload(name, [...items, { externalId: 'wrong', name: 7 }]);
    const handle = drover.services.client.workflow.getHandle(batchWorkflowId(id));
    await expect.poll(async () => (await handle.describe()).raw.pendingActivities?.length).toBe(4);

    const schema = JSON.parse(JSON.stringify(LINKED).replace('NAME', name));
    expect((await drover.request('PUT', `/partner/schema-definitions/${name}`, { body: { schema } })).status).toBe(200);
    await activities.startWorker();
    expect(await drover.ended(id)).toMatchObject({
      status: 'partial_success',
      counts: { succeeded: N, failed: 1, queued: 0 },
      actions: { created: N, updated: 0, unchanged: 0 },
      errors: { summary: { validation: 1 } },
    });
    await expectReplays(`planned-again-${name}`, await handle.fetchHistory());
  },
);

test('an item that became pending in an attempt whose result was lost, before its definition changed, continues to wait', async () => {
  await drover.define('harbour', {});
  const id = await drover.define('ship', { home: { $ref: 'reach:schemas/harbour' } });
  const schema = {
    type: 'object',
    properties: { home: { $ref: 'reach:schemas/harbour' }, tows: { $ref: 'reach:schemas/ship' } },
  };
  let changed: Promise<{ status: number }> | undefined;
  activities.atCheckpoint(async (at) => {
    if (at !== 'outcomes-stored' || changed !== undefined) return;
    changed = drover.request('PUT', '/partner/schema-definitions/ship', { body: { schema } });
    const isChanging = async () =>
      (await schemaDefinitionsIn(drover.services.database).findOne({ _id: id }))?.changing !== undefined;
    await expect.poll(isChanging).toBe(true);
    throw ApplicationFailure.retryable('the answer of the worker is lost');
  });
  const wait = { dependencyWaitTimeout: 600 };
  // more than one activity, so that the batch is applied by the worker of activities
  const others = Array.from({ length: 5 }, (_, n) => ({ externalId: `t${n}` }));
  const batchId = await drover.upload('ship', [{ externalId: 's', home: 'h' }, ...others], wait);
  await drover.waiting(batchId);
  expect((await changed)?.status).toBe(200);
  expect((await drover.batch(batchId)).counts).toMatchObject({ pending: 1, succeeded: 5, queued: 0 });
  await drover.ended(await drover.upload('harbour', [{ externalId: 'h' }]));
  expect(await drover.ended(batchId)).toMatchObject({ status: 'success', actions: { created: 6 } });
});

test('the list of referrers has the fields of the definition as another API process has changed it', async () => {
  await drover.define('land', {});
  await drover.define('town', { land: {} });
  await drover.ended(await drover.upload('land', [{ externalId: 'X' }]));
  await drover.ended(await drover.upload('town', [{ externalId: 'a', land: 'X' }]));
  const fields = async (api: Drover) => {
    const path = '/api/resources/land/X/references';
    const { body } = await api.request<{ results: { fields: string[] }[] }>('GET', path);
    return body.data.results.map((referrer) => referrer.fields);
  };
  const put = (properties: object) =>
    drover.request('PUT', '/partner/schema-definitions/town', { body: { schema: { type: 'object', properties } } });
  expect((await put({ land: { $ref: 'reach:schemas/land' } })).status).toBe(200);
  expect(await fields(activities)).toEqual([['land']]);
  expect((await put({ land: {}, home: { $ref: 'reach:schemas/land' } })).status).toBe(200);
  await drover.ended(await drover.upload('town', [{ externalId: 'b', home: 'X' }]));
  expect(await fields(activities)).toEqual([['home']]);
});
