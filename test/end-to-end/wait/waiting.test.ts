import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitsIn } from '../../../store/items/waits.ts';
import {
  batchWorkflowId,
  dependenciesAvailableSignal,
  pendingItemsQuery,
  statusQuery,
} from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { recoverNow, waitsOf } from '../../harness/left-behind.ts';
import { Tenant } from '../../harness/tenant.ts';

let drover: Drover;
let countryId: string;
beforeAll(async () => {
  drover = await Drover.start();
  countryId = await drover.define('country', {
    name: { type: 'string' },
    borders: { type: 'array', items: { $ref: 'reach:schemas/country' } },
  });
  await drover.define(
    'city',
    {
      name: { type: 'string' },
      size: { type: 'integer' },
      country: { $ref: 'reach:schemas/country' },
      twins: { type: 'array', items: { $ref: 'reach:schemas/city' } },
    },
    { required: ['name'] },
  );
});
afterAll(() => drover.stop());

const WAIT = { dependencyWaitTimeout: 600 };
const handleOf = (batchId: string) => drover.services.client.workflow.getHandle(batchWorkflowId(batchId));

describe('a pending item', () => {
  test('is counted, listed and shown with its missing references and its deadline, and is no resource', async () => {
    const tenant = new Tenant(drover);
    const before = Date.now();
    const id = await tenant.upload(
      'city',
      [
        { externalId: 'B', name: 'Berlin', country: 'DE' },
        { externalId: 'X', name: 'Nowhere' },
      ],
      WAIT,
    );
    const batch = await tenant.waiting(id);
    expect(batch).toMatchObject({
      status: 'waiting',
      source: 'workflow',
      counts: { queued: 0, pending: 1, succeeded: 1 },
      progress: { processedRecords: 1, pendingRecords: 1, successfulRecords: 1, failedRecords: 0, successRate: 0.5 },
      options: { dependencyWaitTimeout: 600 },
      pendingResources: [
        {
          id: expect.any(String),
          resourceExternalId: 'B',
          schemaName: 'city',
          missingDependencies: [{ schemaDefinitionId: countryId, schemaName: 'country', externalId: 'DE' }],
        },
      ],
    });
    const [pending] = batch.pendingResources ?? [];
    expect(Date.parse(pending?.createdAt ?? '')).toBeGreaterThanOrEqual(before);
    expect(Date.parse(pending?.expiresAt ?? '') - Date.parse(pending?.createdAt ?? '')).toBe(600_000);
    expect(batch.pendingUntil).toBe(pending?.expiresAt);
    expect(batch.completedAt).toBeUndefined();
    expect((await tenant.items(id))[0]).toMatchObject({
      status: 'pending',
      missingDependencies: [{ schemaDefinitionId: countryId, schemaName: 'country', externalId: 'DE' }],
    });
    expect(await tenant.stored('city', 'B')).toBeNull();
    const plain = await drover.request('GET', `/api/batches/${id}`, tenant);
    expect(plain.body.data).not.toHaveProperty('pendingResources');
  });

  test('is no target for references of other items, in its own batch or another', async () => {
    const tenant = new Tenant(drover);
    const pending = await tenant.upload('city', [{ externalId: 'B', name: 'Berlin', country: 'DE' }], WAIT);
    await tenant.waiting(pending);
    const impatient = await tenant.uploaded('city', [{ externalId: 'P', name: 'Potsdam', twins: ['B'] }]);
    expect(impatient.outcomes).toEqual(['missing_dependency']);
    const patient = await tenant.upload('city', [{ externalId: 'P', name: 'Potsdam', twins: ['B'] }], WAIT);
    expect((await tenant.waiting(patient)).pendingResources?.[0]?.missingDependencies).toMatchObject([
      { schemaName: 'city', externalId: 'B' },
    ]);
  });

  test('is applied when its last missing reference appears, and the resource that it creates wakes others: a chain through four batches', async () => {
    const tenant = new Tenant(drover);
    const chain = ['a', 'b', 'c', 'd'].map((externalId, n, all) => ({
      externalId,
      name: externalId,
      ...(n < 3 ? { twins: [all[n + 1]] } : { country: 'DE' }),
    }));
    const ids = [];
    for (const item of chain) ids.push(await tenant.upload('city', [item], WAIT));
    for (const id of ids) await tenant.waiting(id);
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    for (const id of ids) expect(await tenant.ended(id)).toMatchObject({ status: 'success', actions: { created: 1 } });
    expect((await tenant.items(ids[0] ?? ''))[0]).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect((await tenant.items(ids[0] ?? ''))[0]).not.toHaveProperty('missingDependencies');
  });

  test('waits for fifty resources, which appear one after the other', async () => {
    const tenant = new Tenant(drover);
    const borders = Array.from({ length: 50 }, (_, n) => `c${n}`);
    const id = await tenant.upload('country', [{ externalId: 'hub', borders }], WAIT);
    await tenant.waiting(id);
    const bringers = [];
    for (let n = 0; n < 49; n += 7) {
      bringers.push(
        await tenant.upload(
          'country',
          borders.slice(n, n + 7).map((externalId) => ({ externalId })),
        ),
      );
    }
    for (const bringer of bringers) await tenant.ended(bringer);
    expect((await tenant.now(id)).status).toBe('waiting');
    await tenant.uploaded('country', [{ externalId: 'c49' }]);
    expect((await tenant.ended(id)).actions.created).toBe(1);
  });

  test('of each of many batches waits for one resource, which wakes them all', async () => {
    const tenant = new Tenant(drover);
    const ids = await Promise.all(
      Array.from({ length: 8 }, (_, b) =>
        tenant.upload(
          'city',
          Array.from({ length: 30 }, (_, n) => ({ externalId: `${b}-${n}`, name: 'x', country: 'DE' })),
          WAIT,
        ),
      ),
    );
    for (const id of ids) expect((await tenant.waiting(id)).counts.pending).toBe(30);
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    for (const id of ids) expect((await tenant.ended(id)).actions.created).toBe(30);
    expect(await waitingDocuments(tenant)).toEqual([]);
  });

  test('is decided on the data at that time: merged, refused, or invalid', async () => {
    const tenant = new Tenant(drover);
    const upsert = await tenant.upload('city', [{ externalId: 'B', name: 'Berlin', country: 'DE' }], WAIT);
    const reject = await tenant.upload('city', [{ externalId: 'B', name: 'Other', country: 'DE' }], {
      ...WAIT,
      onconflict: 'reject',
    });
    await tenant.waiting(upsert);
    await tenant.waiting(reject);
    await tenant.uploaded('city', [{ externalId: 'B', name: 'Before', size: 5 }]);
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    expect((await tenant.ended(upsert)).actions.updated).toBe(1);
    expect((await tenant.ended(reject)).errors?.summary).toEqual({ conflict: 1 });
    expect(await tenant.stored('city', 'B')).toMatchObject({
      data: { name: 'Berlin', size: 5, country: 'DE' },
      versionNumber: 2,
    });
  });

  test('that is invalid when its references appear fails then, and items that wait for its resource continue to wait', async () => {
    const tenant = new Tenant(drover);
    await drover.define('place', {
      n: { type: 'integer' },
      country: { $ref: 'reach:schemas/country' },
      next: { $ref: 'reach:schemas/place' },
    });
    const bad = await tenant.upload('place', [{ externalId: 'a', n: 1, country: 'DE' }], WAIT);
    const good = await tenant.upload('place', [{ externalId: 'b', next: 'a' }], WAIT);
    await tenant.waiting(bad);
    await tenant.waiting(good);
    const put = await drover.request('PUT', '/partner/schema-definitions/place', {
      body: {
        schema: {
          type: 'object',
          properties: {
            n: { type: 'string' },
            country: { $ref: 'reach:schemas/country' },
            next: { $ref: 'reach:schemas/place' },
          },
        },
      },
    });
    expect(put.status).toBe(200);
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    expect((await tenant.ended(bad)).errors?.summary).toEqual({ validation: 1 });
    expect((await tenant.now(good)).status).toBe('waiting');
    await tenant.uploaded('place', [{ externalId: 'a', n: 'one' }]);
    expect((await tenant.ended(good)).status).toBe('success');
  });

  test('does not delay the next item of its id, and is applied over the data at that time; invalid ones fail at once', async () => {
    const tenant = new Tenant(drover);
    const id = await tenant.upload(
      'city',
      [
        { externalId: 'B', name: 'First', size: 1, country: 'DE' },
        { externalId: 'B', name: 'Second', size: 2 },
        { externalId: 'B', name: 'Third', country: 'DE' },
        { externalId: 'C', name: 7, country: 'DE' },
        { externalId: 'D', name: 'x', mayor: 'y', country: 'DE' },
      ],
      WAIT,
    );
    const waiting = await tenant.waiting(id);
    expect(waiting.counts).toMatchObject({ pending: 2, succeeded: 1, failed: 2 });
    expect(waiting.errors?.summary).toEqual({ validation: 1, unknown_field: 1 });
    expect(await tenant.stored('city', 'B')).toMatchObject({ data: { name: 'Second', size: 2 }, versionNumber: 1 });
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    await tenant.ended(id);
    expect(await tenant.stored('city', 'B')).toMatchObject({
      data: { name: 'Third', size: 1, country: 'DE' },
      versionNumber: 3,
    });
  });

  test('waits again for a resource that was deleted before the others appeared', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('country', [{ externalId: 'FR' }]);
    const id = await tenant.upload('country', [{ externalId: 'hub', borders: ['DE', 'FR', 'PL'] }], WAIT);
    await tenant.waiting(id);
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    // checked, and not ready
    await tenant.now(id);
    for (const gone of ['DE', 'FR'])
      await tenant.ended(await drover.delete('country', { externalIds: [gone] }, tenant));
    await tenant.uploaded('country', [{ externalId: 'PL' }]);
    expect((await tenant.now(id)).status).toBe('waiting');
    await tenant.uploaded('country', [{ externalId: 'FR' }]);
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    expect((await tenant.ended(id)).actions.created).toBe(1);
  });

  test('may refer to a schema definition that does not exist yet', async () => {
    const tenant = new Tenant(drover);
    await drover.define('ship', { ports: { type: 'array', items: { $ref: 'reach:schemas/Harbour' } } });
    const id = await tenant.upload('ship', [{ externalId: 'S', ports: ['P', 'Q', 'P'] }], WAIT);
    expect((await tenant.waiting(id)).pendingResources?.[0]?.missingDependencies).toEqual([
      { schemaDefinitionId: '', schemaName: 'Harbour', externalId: 'P' },
      { schemaDefinitionId: '', schemaName: 'Harbour', externalId: 'Q' },
    ]);
    const harbourId = await drover.define('harbour', {});
    await drover.until(
      id,
      (batch) => batch.pendingResources?.[0]?.missingDependencies[0]?.schemaDefinitionId === harbourId,
      tenant,
    );
    await tenant.uploaded('harbour', [{ externalId: 'P' }, { externalId: 'Q' }]);
    expect((await tenant.ended(id)).actions.created).toBe(1);
  });
});

describe('a program', () => {
  test('queries and signals by workflow id; nonsense and a thousand signals do no harm', async () => {
    const tenant = new Tenant(drover);
    const id = await tenant.upload('city', [{ externalId: 'B', name: 'Berlin', country: 'DE' }], WAIT);
    await tenant.waiting(id);
    const handle = handleOf(id);
    expect(await handle.query(pendingItemsQuery)).toEqual([{ index: 0, expiresAt: expect.any(String) }]);
    expect(await handle.query(statusQuery)).toMatchObject({ status: 'waiting', counts: { pending: 1 } });
    await handle.signal(dependenciesAvailableSignal, [{ schemaDefinitionId: 'nonsense', externalId: 'x' }]);
    for (const nonsense of [[], ['text'], [{ a: { b: [] } }, 7], [null]])
      await handle.signal('dependenciesAvailable', ...nonsense);
    await handle.signal('noSuchSignal', { a: 1 });
    for (let round = 0; round < 20; round++) {
      // each call of Temporal's client has a deadline
      const signals = Array.from({ length: 50 }, () =>
        handle.signal(dependenciesAvailableSignal, [{ schemaDefinitionId: countryId, externalId: 'DE' }]),
      );
      await Promise.all(signals);
    }
    await tenant.now(id);
    expect(await handle.query(statusQuery)).toMatchObject({ status: 'waiting', counts: { pending: 1 } });
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    expect((await tenant.ended(id)).status).toBe('success');
    await handle.result();
    await expect(handle.signal(dependenciesAvailableSignal, [])).rejects.toThrow(WorkflowNotFoundError);
  });

  test.each([
    ['of an unknown encoding', { encoding: Buffer.from('binary/nonsense') }, 'x'],
    ['of a Java program', { encoding: Buffer.from('json/protobuf'), messageType: Buffer.from('a.B') }, '{}'],
    ['that claims to be JSON and is not', { encoding: Buffer.from('json/plain') }, 'x'],
    ['without content', {}, ''],
  ])('does no harm with a payload %s', async (_, metadata, text) => {
    const tenant = new Tenant(drover);
    const id = await tenant.upload('city', [{ externalId: 'B', name: 'Berlin', country: 'DE' }], WAIT);
    await tenant.waiting(id);
    await drover.services.client.workflowService.signalWorkflowExecution({
      namespace: drover.config.TEMPORAL_NAMESPACE,
      workflowExecution: { workflowId: batchWorkflowId(id) },
      signalName: 'dependenciesAvailable',
      input: { payloads: [{ metadata, data: Buffer.from(text) }] },
    });
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    expect((await tenant.ended(id)).status).toBe('success');
  });

  test('that signals an existing resource makes the batch continue', async () => {
    const tenant = new Tenant(drover);
    const id = await tenant.upload('city', [{ externalId: 'B', name: 'Berlin', country: 'DE' }], WAIT);
    await tenant.waiting(id);
    await expect.poll(() => checksOf(id)).toBe(1);
    // no batch signals this resource
    await waitsIn(drover.services.database).deleteMany({});
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    expect((await tenant.now(id)).status).toBe('waiting');
    await handleOf(id).signal(dependenciesAvailableSignal, [{ schemaDefinitionId: countryId, externalId: 'DE' }]);
    expect((await tenant.ended(id)).status).toBe('success');
  });
});

describe('a batch that waits', () => {
  const city = { externalId: 'B', name: 'Berlin', country: 'DE' };

  test('for a resource that was created without a check for waits is woken by recovery', async () => {
    const tenant = new Tenant(drover);
    const waits = waitsIn(drover.services.database);
    const id = await tenant.upload('city', [city], WAIT);
    await tenant.waiting(id);
    await expect.poll(() => checksOf(id)).toBe(1);
    const registered = await waits.find({ batchId: id }).toArray();
    await waits.deleteMany({ batchId: id });
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    await waits.insertMany(registered);
    expect((await tenant.now(id)).status).toBe('waiting');
    await recoverNow(drover);
    expect((await tenant.ended(id)).status).toBe('success');
  });
});

test('leaves nothing behind when its wait is over', async () => {
  const tenant = new Tenant(drover);
  const id = await tenant.upload(
    'city',
    [
      { externalId: 'B', name: 'b', country: 'DE' },
      { externalId: 'C', name: 'c', country: 'FR' },
    ],
    WAIT,
  );
  await tenant.waiting(id);
  await tenant.uploaded('country', [{ externalId: 'DE' }]);
  await drover.until(id, (batch) => batch.counts.succeeded === 1, tenant);
  await drover.request('POST', `/api/batches/${id}/cancel`, tenant);
  expect((await tenant.ended(id)).counts).toMatchObject({ succeeded: 1, cancelled: 1 });
  expect(await waitingDocuments(tenant)).toEqual([]);
});

/** How often a batch has checked its references: while it checks, it registers again what is lost. */
async function checksOf(batchId: string): Promise<number> {
  const { events } = await handleOf(batchId).fetchHistory();
  const scheduled = new Set(
    (events ?? []).flatMap(({ eventId, activityTaskScheduledEventAttributes: activity }) =>
      activity?.activityType?.name === 'lookForDependencies' ? [String(eventId)] : [],
    ),
  );
  return (events ?? []).filter(({ activityTaskCompletedEventAttributes: completed }) =>
    scheduled.has(String(completed?.scheduledEventId)),
  ).length;
}

/** Everything that is stored of waits in a tenant. */
async function waitingDocuments({ tenant }: Tenant) {
  return waitsOf(drover.services.database, tenant);
}
