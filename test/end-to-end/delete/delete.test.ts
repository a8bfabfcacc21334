import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Checkpoint } from '../../../activities/activity-context.ts';
import { groupsIn } from '../../../isolation/groups/groups.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Drover, spawnWorker } from '../../harness/drover.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('Country', {
    externalId: { type: 'string' },
    borders: { type: 'array', items: { $ref: 'reach:schemas/Country' } },
  });
  await drover.define(
    'City',
    { externalId: { type: 'string' }, country: { $ref: 'reach:schemas/Country' } },
    { required: ['country'] },
  );
  await drover.define('Street', {
    externalId: { type: 'string' },
    cities: { type: 'array', items: { $ref: 'reach:schemas/City' } },
  });
});
afterAll(() => drover.stop());

let tenants = 0;
/** A tenant of its own for each test. */
const newTenant = () => ({ tenant: `delete-${tenants++}` });

async function world(options: { tenant: string }): Promise<void> {
  const batches = [
    await drover.upload(
      'Country',
      [
        { externalId: 'de', borders: ['fr'] },
        { externalId: 'fr', borders: ['de'] },
        { externalId: 'is' },
        { externalId: 'mt' },
      ],
      {},
      options,
    ),
  ];
  await drover.ended(batches[0] ?? '', options);
  await drover.ended(
    await drover.upload(
      'City',
      [
        { externalId: 'berlin', country: 'de' },
        { externalId: 'reykjavik', country: 'is' },
      ],
      {},
      options,
    ),
    options,
  );
  await drover.ended(
    await drover.upload('Street', [{ externalId: 'linden', cities: ['berlin', 'reykjavik'] }], {}, options),
    options,
  );
}

async function idsOf(schema: string, options: { tenant: string }): Promise<string[]> {
  const { body } = await drover.request<{ results: { resourceExternalId: string }[] }>(
    'GET',
    `/api/resources/${schema}?limit=100`,
    options,
  );
  return body.data.results.map((resource) => resource.resourceExternalId).sort();
}

describe('delete, end to end', () => {
  test('a resource that a surviving resource refers to is skipped and its referrers are named; a missing id is not_found', async () => {
    const tenant = newTenant();
    await world(tenant);
    const ids = ['mt', 'is', 'nowhere', 'mt'];
    const dry = await drover.request('DELETE', '/api/resources/Country/batch', {
      body: { externalIds: ids, dryRun: true },
      ...tenant,
    });
    expect(dry.body.data).toMatchObject({
      totalDeletions: 1,
      skipped: 1,
      notFound: 1,
      deletions: [{ schemaDefinitionName: 'Country', count: 1 }],
    });
    const batchId = await drover.delete('Country', { externalIds: ids }, tenant);
    const batch = await drover.ended(batchId, tenant);
    expect(batch).toMatchObject({
      status: 'success',
      counts: { queued: 0, succeeded: 2, skipped: 2, failed: 0 },
      actions: { deleted: 1, cascaded: 0 },
    });
    const items = await drover.items(batchId, tenant);
    expect(items.map(({ status, action }) => action ?? status)).toEqual(['deleted', 'skipped', 'skipped', 'deleted']);
    expect(items[1]?.errors).toEqual([
      { code: 'referenced', message: 'Country "is" is referred to by City "reykjavik"' },
    ]);
    expect(items[2]?.errors).toEqual([{ code: 'not_found', message: 'Country "nowhere" does not exist' }]);
    expect(await idsOf('Country', tenant)).toEqual(['de', 'fr', 'is']);
  });

  test('cascade goes through arrays, required references, cycles and other schema definitions', async () => {
    const tenant = newTenant();
    await world(tenant);
    const body = { externalIds: ['fr'], cascade: true };
    const dry = await drover.request('DELETE', '/api/resources/Country/batch', {
      body: { ...body, dryRun: true },
      ...tenant,
    });
    expect(dry.body.data).toMatchObject({ totalDeletions: 4, skipped: 0, notFound: 0 });
    const batch = await drover.ended(await drover.delete('Country', body, tenant), tenant);
    expect(batch).toMatchObject({ status: 'success', counts: { succeeded: 1 }, actions: { deleted: 1, cascaded: 3 } });
    expect(await idsOf('Country', tenant)).toEqual(['is', 'mt']);
    expect(await idsOf('City', tenant)).toEqual(['reykjavik']);
    expect(await idsOf('Street', tenant)).toEqual([]);
  });

  test('deleteAll keeps resources that another schema definition refers to, and those that they refer to; without resources it succeeds', async () => {
    const tenant = newTenant();
    await world(tenant);
    const batch = await drover.ended(await drover.delete('Country', { deleteAll: true }, tenant), tenant);
    expect(batch).toMatchObject({ counts: { succeeded: 1, skipped: 3 }, actions: { deleted: 1 } });
    expect(await idsOf('Country', tenant)).toEqual(['de', 'fr', 'is']);
    await drover.ended(await drover.delete('Street', { deleteAll: true }, tenant), tenant);
    const empty = await drover.ended(await drover.delete('Street', { deleteAll: true }, tenant), tenant);
    expect(empty).toMatchObject({ status: 'success', progress: { totalRecords: 0, successRate: 1 } });
    const all = await drover.ended(await drover.delete('Country', { deleteAll: true, cascade: true }, tenant), tenant);
    expect(all).toMatchObject({ counts: { succeeded: 3 }, actions: { deleted: 3, cascaded: 2 } });
  });
});

describe('a step whose activity fails for good after its commit', () => {
  test('deletes its resources, stores its outcomes, and counts the cascaded deletions', async () => {
    const tenant = newTenant();
    await world(tenant);
    drover.atCheckpoint(async (at) => {
      if (at === 'committed') throw ApplicationFailure.nonRetryable('fails for good');
    });
    const batchId = await drover.delete('Country', { externalIds: ['fr'], cascade: true }, tenant);
    const batch = await drover.ended(batchId, tenant);
    drover.atCheckpoint(undefined);
    expect(batch).toMatchObject({ status: 'success', counts: { succeeded: 1 }, actions: { deleted: 1, cascaded: 3 } });
    expect(await idsOf('City', tenant)).toEqual(['reykjavik']);
  });
});

// side by side: most of their time is spent until Temporal times out a worker
describe.concurrent('a worker that is killed in the middle of a delete', () => {
  test.each<Checkpoint>(['marked', 'committed', 'deleted', 'outcomes-stored'])(
    'at "%s" leaves one outcome and one effect',
    async (checkpoint) => {
      const killed = await Drover.start({ worker: false });
      const schema = await killed.define('Node', {
        externalId: { type: 'string' },
        next: { $ref: 'reach:schemas/Node' },
      });
      const [key, now] = [(id: number) => `default/default/${schema}/n${id}`, new Date()];
      const about = {
        scope: 'default/default',
        schemaDefinitionId: schema,
        data: {},
        version: 1,
        createdAt: now,
        updatedAt: now,
        writes: [],
      };
      await resourcesIn(killed.services.database).insertMany(
        // chains of four; the head of each, which no resource refers to, is not among the requested ids
        Array.from({ length: 400 }, (_, n) => ({
          ...about,
          _id: key(n),
          id: `${n}`,
          externalId: `n${n}`,
          references: n % 4 === 0 ? [] : [key(n - 1)],
        })),
      );
      const externalIds = Array.from({ length: 400 }, (_, n) => `n${n}`).filter((_, n) => n % 4 !== 3);
      const worker = await spawnWorker(killed, { checkpoint, nth: 2 });
      const batchId = await killed.delete('Node', { externalIds, cascade: true });
      await worker.ended;
      await killed.startWorker();
      const batch = await killed.ended(batchId, { timeoutMs: 120_000 });
      expect(batch).toMatchObject({
        status: 'success',
        counts: { succeeded: 300, queued: 0 },
        actions: { deleted: 300, cascaded: 100 },
      });
      expect(await resourcesIn(killed.services.database).countDocuments({})).toBe(0);
      // the steps are removed after the result of the batch is stored
      const commits = groupsIn(killed.services.database);
      await vi.waitFor(async () => expect(await commits.countDocuments({})).toBe(0), { timeout: 20_000 });
      await killed.stop();
    },
    180_000,
  );
});
