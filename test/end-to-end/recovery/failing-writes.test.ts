import { MongoServerError } from 'mongodb';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { Checkpoint } from '../../../activities/activity-context.ts';
import { TcpProxy } from '../../../testkit/proxy.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';

const resources = (count: number) => Array.from({ length: count }, (_, n) => ({ externalId: `r${n}`, n }));
const RESOURCES = resources(20);
/** More than one activity runs in one go. */
const MANY = resources(30);
/** Attempts that fail before the test continues. */
const ATTEMPTS = 4;

let mongodb: TcpProxy;
let temporal: TcpProxy;
let drover: Drover;

beforeAll(async () => {
  mongodb = await TcpProxy.start({ to: inject('mongodbUri') });
  temporal = await TcpProxy.start({ to: inject('temporalAddress') });
  drover = await Drover.start({
    environment: {
      MONGODB_URI: mongodb.address,
      TEMPORAL_ADDRESS: temporal.address,
    },
  });
});
afterEach(() => drover.atCheckpoint(undefined));
afterAll(async () => {
  await drover.stop();
  await mongodb.stop();
  await temporal.stop();
});

/** A promise that is resolved from outside. */
function moment(): { reached: Promise<void>; reach(): void } {
  let reach = (): void => undefined;
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  return { reached, reach };
}

async function expectAllApplied(schema: string, batchId: string, sent = RESOURCES): Promise<void> {
  const batch = await drover.ended(batchId);
  expect(batch.status).toBe('success');
  expect(batch.actions).toMatchObject({ created: sent.length, updated: 0, unchanged: 0 });
  const { body } = await drover.request<{ results: { versionNumber: number }[] }>(
    'GET',
    `/api/resources/${schema}?limit=100`,
  );
  expect(body.data.results.map((resource) => resource.versionNumber)).toEqual(sent.map(() => 1));
}

const PLACES = ['intent-laid', 'checked', 'inserted', 'written'] as const satisfies Checkpoint[];

test.each(PLACES.flatMap((full) => [RESOURCES, MANY].map((sent) => [full, sent.length, sent] as const)))(
  'if the disk is full at "%s" of %i resources, the activity waits and is retried; nothing is marked done that is not',
  async (full, count, sent) => {
    const schema = `full-${full}-${count}`;
    await drover.define(schema, { n: { type: 'number' } });
    const failed: number[] = [];
    const enough = moment();
    let isFull = true;
    drover.atCheckpoint(async (at) => {
      if (!isFull || at !== full) return;
      failed.push(performance.now());
      if (failed.length >= ATTEMPTS) enough.reach();
      throw new MongoServerError({ message: 'No space left on device', code: 14_031, codeName: 'OutOfDiskSpace' });
    });
    const id = await drover.upload(schema, sent);
    await enough.reached;
    const meanwhile = await drover.batch(id);
    expect(meanwhile.status).toBe('processing');
    expect(meanwhile.counts).toMatchObject({ queued: count, succeeded: 0, failed: 0 });
    expect((await drover.items(id)).every((item) => item.status === 'queued')).toBe(true);
    const { pendingActivities } = await activityAttempts(id);
    expect(pendingActivities.length).toBeGreaterThan(0);
    isFull = false;
    await expectAllApplied(schema, id, sent);
  },
);

async function activityAttempts(batchId: string) {
  const description = await drover.services.client.workflow.getHandle(batchWorkflowId(batchId)).describe();
  return { pendingActivities: description.raw.pendingActivities ?? [] };
}

test('attempts on a failing server come at growing intervals', async () => {
  await drover.define('slow', { n: { type: 'number' } });
  const failed: number[] = [];
  const enough = moment();
  drover.atCheckpoint(async (at) => {
    if (at !== 'intent-laid' || failed.length >= ATTEMPTS) return;
    failed.push(performance.now());
    if (failed.length === ATTEMPTS) enough.reach();
    throw new MongoServerError({ message: 'not primary', code: 10_107 });
  });
  const id = await drover.upload('slow', MANY);
  await enough.reached;
  const waits = failed.slice(1).map((at, before) => at - (failed[before] ?? at));
  for (const [n, wait] of waits.entries()) expect(wait).toBeGreaterThan(190 * 2 ** n);
  expect((await drover.ended(id)).status).toBe('success');
});

test.each(['mongodb', 'temporal'] as const)(
  'a batch continues by itself after %s was unavailable in the middle of it',
  async (which) => {
    const proxy = which === 'mongodb' ? mongodb : temporal;
    await drover.define(`outage-${which}`, { n: { type: 'number' } });
    const begun = moment();
    const goOn = moment();
    drover.atCheckpoint(async (at) => {
      if (at !== 'intent-laid') return;
      begun.reach();
      await goOn.reached;
    });
    const id = await drover.upload(`outage-${which}`, RESOURCES);
    await begun.reached;
    proxy.refuse();
    goOn.reach();
    await expect.poll(async () => (await drover.app.request('/readyz')).status, { timeout: 8_000 }).toBe(503);
    await proxy.pass();
    await expect.poll(async () => (await drover.app.request('/readyz')).status, { timeout: 8_000 }).toBe(200);
    await expectAllApplied(`outage-${which}`, id);
  },
);
