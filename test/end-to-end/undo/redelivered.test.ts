import { ApplicationFailure } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Checkpoint } from '../../../activities/activity-context.ts';
import { intentsIn } from '../../../isolation/intents/intents.ts';
import { acceptUndo } from '../../../services/undo/undo-batch.ts';
import { readBatch } from '../../../store/batches/batches.ts';
import { claimUndo } from '../../../store/batches/undone.ts';
import { beforeImagesIn } from '../../../store/items/before-images.ts';
import { Drover } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';
import { Tenant } from '../../harness/tenant.ts';

/** Activities that die between their steps: an undoable batch, and its undo, leave what one delivery would leave. */

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { RESOURCES_PER_ACTIVITY: '3' } });
  await drover.define('node', { n: { type: 'integer' }, to: { $ref: 'reach:schemas/node' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

const EVERY: readonly Checkpoint[] = [
  'intent-laid',
  'checked',
  'inserted',
  'written',
  'outcomes-stored',
  'marked',
  'referrers-checked',
  'committed',
  'deleted',
  'finishing',
];

/** From now on each batch fails once at each of these checkpoints, as if its worker had died there. @returns those that were met. */
function failOnceAtEach(): Set<string> {
  const met = new Set<string>();
  drover.atCheckpoint(async (at, batchId) => {
    const here = `${at} ${batchId}`;
    if (!EVERY.includes(at) || met.has(here)) return;
    met.add(here);
    throw ApplicationFailure.create({ message: 'the answer is lost', nextRetryDelay: '10ms' });
  });
  return met;
}

const START = [
  { externalId: 'a', n: 1, to: 'b' },
  { externalId: 'b', n: 1, to: 'a' },
  { externalId: 'c', n: 1 },
];
const stateOf = async (tenant: Tenant) =>
  (await drover.client(tenant).resources.list('node').toArray()).map(({ id, data }) => ({ id, data }));

async function undoOf(tenant: Tenant, batchId: string): Promise<string> {
  const { body } = await drover.request<{ batchId: string }>('POST', `/api/batches/${batchId}/undo`, {
    tenant: tenant.tenant,
  });
  return (body.data as { batchId: string }).batchId;
}

test('an upload and a cascading delete that die everywhere once are undone whole, by undos that die everywhere once', async () => {
  const tenant = new Tenant(drover);
  await tenant.uploaded('node', START);
  const before = await stateOf(tenant);
  const met = failOnceAtEach();
  const upload = await tenant.upload(
    'node',
    [
      { externalId: 'a', n: 2 },
      { externalId: 'd', to: 'e' },
      { externalId: 'e', to: 'd' },
      { externalId: 'a', n: 3 },
      { externalId: 'f', to: 'c' },
    ],
    { undoable: true },
  );
  expect((await tenant.ended(upload)).actions).toMatchObject({ created: 3, updated: 2 });
  const first = await undoOf(tenant, upload);
  expect(await tenant.ended(first)).toMatchObject({
    status: 'success',
    counts: { succeeded: 5 },
    actions: { reverted: 4 },
  });
  expect(await stateOf(tenant)).toEqual(before);
  expect((await tenant.stored('node', 'a'))?.versionNumber).toBe(4);

  const { body } = await drover.request<{ batchId: string }>('POST', '/api/resources/node/batch/delete?undoable=true', {
    tenant: tenant.tenant,
    body: { externalIds: ['a', 'c'], cascade: true },
  });
  const deletion = (body.data as { batchId: string }).batchId;
  expect((await tenant.ended(deletion)).actions).toMatchObject({ deleted: 2, cascaded: 1 });
  expect(await stateOf(tenant)).toEqual([]);
  const second = await undoOf(tenant, deletion);
  expect(await tenant.ended(second)).toMatchObject({ status: 'success', actions: { reverted: 3 } });
  expect(await stateOf(tenant)).toEqual(before);
  // both undos, and what they undo, have been stopped in the middle of their writes
  const stops = [
    ...['written', 'marked', 'committed'].map((at) => `${at} ${first}`),
    ...['marked', 'committed', 'deleted'].map((at) => `${at} ${deletion}`),
    `written ${upload}`,
    `inserted ${second}`,
  ];
  expect([...met]).toEqual(expect.arrayContaining(stops));
  expect(await intentsIn(drover.services.database).countDocuments()).toBe(0);
}, 60_000);

test('an undo whose claimant has died is accepted and started by recovery, once', async () => {
  const tenant = new Tenant(drover);
  const { batch } = await tenant.uploaded('node', START, { undoable: true });
  const { database } = drover.services;
  const stored = await readBatch(database, batch.batchId);
  const claimed = stored && (await claimUndo(database, stored, crypto.randomUUID()));
  expect(claimed?.undoUnaccepted).toBe(true);
  await recoverNow(drover);
  const undo = claimed?.undoneBy ?? '';
  expect(await tenant.ended(undo)).toMatchObject({ status: 'success', actions: { reverted: 3 } });
  // the claimant was only slow: what it still stores is there already
  if (claimed) await acceptUndo(database, claimed);
  expect((await readBatch(database, undo))?.status).toBe('success');
  expect(await stateOf(tenant)).toEqual([]);
});

test('while uploads, patches, deletes and undos race, no reference dangles and each undo says what it has done', async () => {
  const tenant = new Tenant(drover);
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)] as T;
  const started: Promise<void>[] = [];
  for (let round = 0; round < 12; round++) {
    const bodies = ids.slice(0, 3).map(() => ({ externalId: pick(ids), n: round, to: pick(ids) }));
    const isDelete = round % 4 === 3;
    const { body } = isDelete
      ? await drover.request<{ batchId: string }>('POST', '/api/resources/node/batch/delete?undoable=true', {
          tenant: tenant.tenant,
          body: { externalIds: [pick(ids), pick(ids)], cascade: round % 8 === 3 },
        })
      : { body: { data: { batchId: await tenant.upload('node', bodies, { undoable: true }) } } };
    const { batchId } = body.data as { batchId: string };
    started.push(
      tenant.ended(batchId).then(async () => {
        await tenant.ended(await undoOf(tenant, batchId));
      }),
    );
  }
  await Promise.all(started);
  const there = await stateOf(tenant);
  const names = new Set(there.map(({ data }) => data.externalId));
  expect(there.filter(({ data }) => data.to !== undefined && !names.has(data.to))).toEqual([]);
  const { database } = drover.services;
  expect(await beforeImagesIn(database).countDocuments({ groups: { $exists: true }, deleted: true })).toBe(0);
  for (const { batchId } of await drover.client(tenant).batches.list({ batchType: 'BATCH_UNDO' }).toArray())
    for (const { action, errors = [] } of await tenant.items(batchId))
      expect(action ?? errors[0]?.code).toMatch(/^(reverted|changed_since|referenced|missing_dependency)$/);
}, 60_000);
