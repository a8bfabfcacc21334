import { randomUUID } from 'node:crypto';
import type { UploadOptions } from '@drover/client';
import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { resourcesIn } from '../../../store/resources.ts';
import { type HeldRequest, TcpProxy } from '../../../testkit/proxy.ts';
import { Drover } from '../../harness/drover.ts';

/**
 * A command that its attempt no longer waits for is applied after a later attempt is over: it is held back on its way to MongoDB, its
 * sender waits until its time is over, and it is delivered at the end.
 */
let proxy: TcpProxy;
let drover: Drover;
beforeAll(async () => {
  proxy = await TcpProxy.start({ to: inject('mongodbUri') });
  drover = await Drover.start({
    worker: false,
    environment: { MONGODB_URI: inject('mongodbUri'), ACTIVITY_TIMEOUT_SECONDS: '4' },
  });
  // only the worker's commands pass the proxy
  const worker = { ...drover.config, MONGODB_URI: proxy.address };
  await drover.startWorker({ config: worker });
  await drover.define('target', { note: { type: 'string' } });
  await drover.define('source', { note: { type: 'string' }, to: { $ref: 'reach:schemas/target' } });
});
afterAll(async () => {
  await drover.stop();
  await proxy.stop();
});

const upload = (schema: string, resources: object[], options: UploadOptions = {}): Promise<string> =>
  drover.upload(schema, resources, options);

async function stored(schema: string, id: string): Promise<object | null> {
  const { status, body } = await drover.request<object>('GET', `/api/resources/${schema}/${id}`);
  return status === 200 ? body.data : null;
}

const ended = (id: string) => drover.ended(id);

async function remove(schema: string, ids: string[]): Promise<string> {
  const { body } = await drover.request<{ batchId: string }>('DELETE', `/api/resources/${schema}/batch`, {
    body: { externalIds: ids },
  });
  await ended(body.data.batchId);
  return body.data.batchId;
}

test('an insert that lands after its resource was inserted again and deleted does not bring it back', async () => {
  const id = `a-${randomUUID()}`;
  const held = proxy.hold('insert', 'resources', id);
  const batchId = await upload('target', [{ externalId: id, note: 'first' }]);
  const late: HeldRequest = await held;
  expect((await ended(batchId)).actions.created).toBe(1);
  await remove('target', [id]);
  expect(await stored('target', id)).toBeNull();
  await late.deliver();
  expect(await stored('target', id)).toBeNull();
  // and the key can be used again
  const again = await upload('target', [{ externalId: id, note: 'anew' }], { onconflict: 'reject' });
  expect((await ended(again)).actions.created).toBe(1);
  expect(await stored('target', id)).toMatchObject({ data: { note: 'anew' }, versionNumber: 1 });
});

test('an insert that lands after its item has failed does nothing, and its target can be deleted', async () => {
  const [target, source] = [`t-${randomUUID()}`, `s-${randomUUID()}`];
  await ended(await upload('target', [{ externalId: target }]));
  const held = proxy.hold('insert', 'resources', source);
  const batchId = await upload('source', [{ externalId: source, to: target }]);
  const late = await held;
  // between the two attempts: the first one's intent protects the target until another attempt takes over
  const removing = remove('target', [target]);
  const [batch] = await Promise.all([ended(batchId), removing]);
  const there = (await stored('target', target)) !== null;
  expect(batch.counts.succeeded).toBe(there ? 1 : 0);
  await late.deliver();
  expect((await stored('source', source)) !== null).toBe(there);
});

test('an update that lands after its item has failed changes nothing', async () => {
  const [target, source] = [`t-${randomUUID()}`, `s-${randomUUID()}`];
  await ended(await upload('target', [{ externalId: target }]));
  await ended(await upload('source', [{ externalId: source, note: 'before' }]));
  const held = proxy.hold('update', 'resources', source, 'writes');
  const batchId = await upload('source', [{ externalId: source, note: 'after', to: target }]);
  const late = await held;
  let isFirst = true;
  drover.atCheckpoint(async (at) => {
    if (at !== 'intent-laid' || !isFirst) return;
    isFirst = false;
    throw ApplicationFailure.retryable('the second attempt dies before it reads');
  });
  // the second attempt has removed the earlier intent: the third one finds no target
  await expect.poll(() => isFirst, { timeout: 20_000 }).toBe(false);
  await resourcesIn(drover.services.database).deleteOne({ externalId: target });
  drover.atCheckpoint(undefined);
  expect((await ended(batchId)).counts).toMatchObject({ failed: 1 });
  await late.deliver();
  expect(await stored('source', source)).toMatchObject({ data: { note: 'before' }, versionNumber: 1 });
});

test("an outcome that lands after a later attempt has begun does not count as that attempt's outcome", async () => {
  const [target, source] = [`t-${randomUUID()}`, `s-${randomUUID()}`];
  const held = proxy.hold('outcome_pages', 'missing_dependency');
  const batchId = await upload('source', [{ externalId: source, to: target }, { externalId: `${source}-2` }]);
  const late = await held;
  const delivered: Promise<Buffer>[] = [];
  const present = upload('target', [{ externalId: target }]).then(ended);
  drover.atCheckpoint(async (at, of) => {
    if (of !== batchId) return;
    // a later attempt checks when the resource that the first one missed is there
    if (at === 'intent-laid') await present;
    // the resource is there, but its outcome is not stored
    if (at === 'written' && delivered.length === 0) delivered.push(late.deliver());
    await Promise.all(delivered);
  });
  const batch = await ended(batchId);
  drover.atCheckpoint(undefined);
  expect(delivered).toHaveLength(1);
  expect(batch.counts).toMatchObject({ succeeded: 2, failed: 0 });
  expect((await drover.items(batchId)).map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
});

test.each([
  ['deletion marks', ['update', 'resources', 'leaving']],
  ['a commit', ['insert', 'commits', 'committed']],
  ['the removal', ['delete', 'resources', 'leaving.group']],
  ['outcomes', ['update', 'outcome_pages', 'deleted']],
])('%s of a delete that land after a later attempt is through change nothing', async (_, texts) => {
  const [gone, kept] = [`g-${randomUUID()}`, `k-${randomUUID()}`];
  await ended(await upload('target', [{ externalId: gone, note: 'first' }, { externalId: kept }]));
  const referrer = `r-${randomUUID()}`;
  await ended(await upload('source', [{ externalId: referrer, to: kept }]));
  const held = proxy.hold(...texts);
  const removing = remove('target', [gone, kept]);
  const late = await held;
  const batch = await drover.batch(await removing);
  expect(batch.actions.deleted).toBe(1);
  expect(batch.counts).toMatchObject({ succeeded: 1, skipped: 1 });
  await ended(await upload('target', [{ externalId: gone, note: 'anew' }]));
  await late.deliver();
  expect(await stored('target', gone)).toMatchObject({ data: { note: 'anew' }, versionNumber: 1 });
  expect(await stored('target', kept)).not.toBeNull();
  // a mark that landed late blocks no writer
  await ended(await upload('target', [{ externalId: kept, note: 'changed' }]));
  expect(await stored('target', kept)).toMatchObject({ data: { note: 'changed' } });
});

test('members of a cycle that land uncommitted after a later attempt is over stay invisible', async () => {
  const one = `c-${randomUUID()}`;
  await drover.define(`ring-${one}`, { to: { $ref: `reach:schemas/ring-${one}` } });
  const held = proxy.hold('insert', 'resources', `${one}-a`);
  const batchId = await upload(`ring-${one}`, [
    { externalId: `${one}-a`, to: `${one}-b` },
    { externalId: `${one}-b`, to: `${one}-a` },
  ]);
  const late = await held;
  expect((await ended(batchId)).actions.created).toBe(2);
  await late.deliver();
  expect(await stored(`ring-${one}`, `${one}-a`)).toMatchObject({ versionNumber: 1 });
});
