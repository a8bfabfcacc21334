import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { Tenant } from '../../harness/tenant.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define(
    'country',
    {
      name: { type: 'string' },
      area: { type: 'number', minimum: 0 },
      capital: { type: ['string', 'null'] },
      borders: { type: 'array', items: { $ref: 'reach:schemas/country' } },
    },
    { required: ['name'] },
  );
  await drover.define('city', { country: { $ref: 'reach:schemas/Country' }, near: { $ref: 'drover:schemas/city' } });
});
afterAll(() => drover.stop());

const germany = { externalId: 'DE', name: 'Germany' };
const france = { externalId: 'FR', name: 'France' };

describe('an upload', () => {
  test('answers with the accepted batch, and applies it', async () => {
    const tenant = new Tenant(drover);
    const { status, body } = await drover.request<{ batchId: string; schemaDefinitionId: string }>(
      'POST',
      '/api/resources/COUNTRY/batch',
      {
        body: { resources: [germany] },
        tenant: tenant.tenant,
      },
    );
    expect(status).toBe(202);
    expect(body).toEqual({
      success: true,
      message: expect.any(String),
      data: {
        batchId: expect.any(String),
        message: expect.any(String),
        recordCount: 1,
        schemaDefinitionId: expect.any(String),
      },
    });
    const batch = await tenant.ended(body.data.batchId);
    expect(batch).toMatchObject({
      batchType: 'PARTNER_RESOURCE_JSON_INGEST',
      operation: 'upload',
      status: 'success',
      suspended: false,
      schemaName: 'country',
      schemaDefinitionId: body.data.schemaDefinitionId,
      progress: {
        totalRecords: 1,
        processedRecords: 1,
        successfulRecords: 1,
        pendingRecords: 0,
        failedRecords: 0,
        successRate: 1,
      },
      counts: { queued: 0, pending: 0, succeeded: 1, failed: 0, expired: 0, skipped: 0, cancelled: 0 },
      actions: { created: 1, updated: 0, unchanged: 0, deleted: 0, cascaded: 0 },
      options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 },
    });
    expect(batch.errors).toBeUndefined();
    expect(Date.parse(batch.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(batch.createdAt));
    expect(Date.parse(batch.completedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(batch.startedAt ?? ''));
    expect(await tenant.stored('country', 'DE')).toMatchObject({ data: germany, versionNumber: 1 });
  });

  test('merges field by field: an absent field stays, null deletes, an array replaces, a change raises the version by 1', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('country', [france, { ...germany, area: 1, borders: ['FR'] }]);
    const { outcomes } = await tenant.uploaded('country', [
      { externalId: 'DE', area: null, capital: 'Berlin', borders: [] },
    ]);
    expect(outcomes).toEqual(['updated']);
    const stored = await tenant.stored('country', 'DE');
    expect(stored?.data).toEqual({ ...germany, capital: 'Berlin', borders: [] });
    expect(stored?.versionNumber).toBe(2);
  });

  test('that changes nothing does not change version and date', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('country', [{ ...germany, area: 1 }]);
    const before = await tenant.stored('country', 'DE');
    const { batch, outcomes } = await tenant.uploaded('country', [{ area: 1, externalId: 'DE' }]);
    expect(outcomes).toEqual(['unchanged']);
    expect(batch.actions).toMatchObject({ created: 0, updated: 0, unchanged: 1 });
    expect(await tenant.stored('country', 'DE')).toEqual(before);
  });

  test('can neither delete nor omit a required field', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('country', [germany]);
    const { batch, items, outcomes } = await tenant.uploaded('country', [
      { externalId: 'DE', name: null },
      { externalId: 'FR' },
      { externalId: 'DE', area: 5 },
    ]);
    expect(outcomes).toEqual(['required_field', 'required_field', 'updated']);
    expect(items[0]?.errors?.[0]?.field).toBe('name');
    expect(batch).toMatchObject({ status: 'partial_success', errors: { summary: { required_field: 2 } } });
    expect(Object.keys(batch.errors?.details ?? {})).toEqual(['0', '1']);
    expect(await tenant.stored('country', 'DE')).toMatchObject({
      data: { name: 'Germany', area: 5 },
      versionNumber: 2,
    });
  });

  test('with reject fails only the item whose resource exists', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('country', [germany]);
    const again = [{ externalId: 'DE', name: 'Other' }, france, { externalId: 'FR', name: 'Again' }];
    const { batch, outcomes } = await tenant.uploaded('country', again, { onconflict: 'reject' });
    expect(outcomes).toEqual(['conflict', 'created', 'conflict']);
    expect(batch.options).toMatchObject({ onconflict: 'reject' });
    expect(await tenant.stored('country', 'DE')).toMatchObject({ data: germany, versionNumber: 1 });
    expect(await tenant.stored('country', 'FR')).toMatchObject({ data: france, versionNumber: 1 });
  });

  test('refuses unknown fields, null ones too; with ignoreUnknownFields they are accepted and not saved', async () => {
    const tenant = new Tenant(drover);
    const body = [
      { ...germany, anthem: 'x' },
      { ...france, anthem: null },
    ];
    const strict = await tenant.uploaded('country', body);
    expect(strict.outcomes).toEqual(['unknown_field', 'unknown_field']);
    expect(strict.items[0]?.errors?.[0]?.field).toBe('anthem');
    expect(strict.batch.status).toBe('failed');
    const lenient = await tenant.uploaded('country', body, { ignoreUnknownFields: true });
    expect(lenient.outcomes).toEqual(['created', 'created']);
    expect((await tenant.stored('country', 'DE'))?.data).toEqual(germany);
  });

  test('applies several items of one external id in order; an invalid one fails alone', async () => {
    const tenant = new Tenant(drover);
    const { batch, items, outcomes } = await tenant.uploaded('country', [
      { externalId: 'DE', name: 'One', area: 1 },
      { externalId: 'DE', area: 'wide' },
      { externalId: 'DE', name: 'Two' },
      { externalId: 'DE', name: 'Two' },
      { externalId: 'DE', area: null },
    ]);
    expect(outcomes).toEqual(['created', 'validation', 'updated', 'unchanged', 'updated']);
    expect(items[1]?.errors?.[0]?.field).toBe('area');
    expect(batch.actions).toMatchObject({ created: 1, updated: 2, unchanged: 1 });
    const stored = await tenant.stored('country', 'DE');
    expect(stored).toMatchObject({ data: { externalId: 'DE', name: 'Two' }, versionNumber: 3 });
  });

  test('reports faults of external ids by their codes', async () => {
    const ids = [undefined, null, '', 5, 'x'.repeat(257), '\ud800', '😀'.repeat(256)];
    const { items, outcomes } = await new Tenant(drover).uploaded(
      'country',
      ids.map((externalId) => ({ externalId, name: 'a' })),
    );
    const [missing, invalid] = ['missing_external_id', 'invalid_external_id'];
    expect(outcomes).toEqual([missing, missing, missing, invalid, invalid, invalid, 'created']);
    expect(items.map((item) => item.externalId)).toEqual([null, null, null, null, null, null, '😀'.repeat(256)]);
  });
});

describe('references inside a batch', () => {
  test('count as present whatever their order', async () => {
    const chain = Array.from({ length: 40 }, (_, n) => ({ externalId: `c${n}`, ...(n < 39 && { near: `c${n + 1}` }) }));
    expect((await new Tenant(drover).uploaded('city', chain)).batch).toMatchObject({
      status: 'success',
      actions: { created: 40 },
    });
  });

  test('a cycle and a self-reference are applied together', async () => {
    const { batch } = await new Tenant(drover).uploaded('country', [
      { ...germany, borders: ['FR', 'PL'] },
      { ...france, borders: ['DE', 'FR'] },
      { externalId: 'PL', name: 'Poland', borders: ['DE'] },
    ]);
    expect(batch.actions.created).toBe(3);
  });

  test('a cycle with one invalid member fails as a whole, and items that refer to it fail too', async () => {
    const tenant = new Tenant(drover);
    const { batch, items, outcomes } = await tenant.uploaded('country', [
      { ...germany, borders: ['FR'] },
      { ...france, borders: ['PL'] },
      { externalId: 'PL', name: 7, borders: ['DE'] },
      { externalId: 'CH', name: 'Switzerland', borders: ['DE'] },
      { externalId: 'IS', name: 'Iceland' },
    ]);
    expect(outcomes).toEqual([
      'missing_dependency',
      'missing_dependency',
      'validation',
      'missing_dependency',
      'created',
    ]);
    expect(items[0]).toMatchObject({ missingDependencies: [{ schemaName: 'country', externalId: 'FR' }] });
    expect(items[3]?.errors?.[0]?.field).toBe('/borders/0');
    expect(batch).toMatchObject({
      status: 'partial_success',
      errors: { summary: { missing_dependency: 3, validation: 1 } },
    });
    for (const id of ['DE', 'FR', 'PL', 'CH']) expect(await tenant.stored('country', id)).toBeNull();
  });

  test('a reference is satisfied by a stored resource, whatever the outcome of another item for it', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('country', [germany]);
    const { items, outcomes } = await tenant.uploaded('country', [
      { ...france, borders: ['DE'] },
      { externalId: 'DE', area: 'wide' },
      { externalId: 'PL', name: 'Poland', borders: ['FR', 'XX'] },
    ]);
    expect(outcomes).toEqual(['created', 'validation', 'missing_dependency']);
    expect(items[2]?.missingDependencies).toEqual([
      { schemaDefinitionId: expect.any(String), schemaName: 'country', externalId: 'XX' },
    ]);
  });

  test('a missing reference is reported once, however often it occurs, with at most 20 of its places', async () => {
    const borders = Array.from({ length: 50 }, () => 'XX');
    const { items } = await new Tenant(drover).uploaded('country', [{ ...germany, borders }]);
    expect(items[0]?.missingDependencies).toHaveLength(1);
    expect(items[0]?.errors).toHaveLength(20);
  });

  test('never reach another tenant', async () => {
    const [one, other] = [new Tenant(drover), new Tenant(drover)];
    await one.uploaded('country', [germany]);
    expect((await other.uploaded('city', [{ externalId: 'B', country: 'DE' }])).outcomes).toEqual([
      'missing_dependency',
    ]);
    expect((await one.uploaded('city', [{ externalId: 'B', country: 'DE' }])).outcomes).toEqual(['created']);
  });
});

describe('batches side by side', () => {
  test('that merge different fields into one resource both take effect', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('country', [germany]);
    const change = (n: number) => ({ externalId: 'DE', ...(n % 2 ? { area: n } : { capital: `c${n}` }) });
    const uploads = await Promise.all(Array.from({ length: 10 }, (_, n) => tenant.uploaded('country', [change(n)])));
    expect(uploads.map(({ outcomes }) => outcomes)).toEqual(uploads.map(() => ['updated']));
    const stored = await tenant.stored('country', 'DE');
    expect(stored?.data).toMatchObject({ name: 'Germany', area: expect.any(Number), capital: expect.any(String) });
    expect(stored?.versionNumber).toBe(11);
  });

  test('that create the same resources, a cycle among them: one creates each, all succeed', async () => {
    const tenant = new Tenant(drover);
    const names = ['DE', 'FR', 'PL', 'CH'];
    const resources = names.map((externalId, n) => ({
      externalId,
      name: externalId,
      ...(n < 3 && { borders: [names[(n + 1) % 3]] }),
    }));
    const orders = Array.from({ length: 6 }, (_, n) => [...resources.slice(n % 4), ...resources.slice(0, n % 4)]);
    const uploads = await Promise.all(orders.map((order) => tenant.uploaded('country', order)));
    for (const name of names) {
      const outcomes = uploads.map(({ items }) => items.find(({ externalId }) => externalId === name)?.action);
      expect(outcomes.sort()).toEqual(['created', ...Array.from({ length: 5 }, () => 'unchanged')]);
    }
    for (const name of names) expect((await tenant.stored('country', name))?.versionNumber).toBe(1);
  });
});
