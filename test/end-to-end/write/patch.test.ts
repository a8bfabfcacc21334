import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { Conformance } from '../../harness/conformance.ts';
import { Drover } from '../../harness/drover.ts';
import { Tenant } from '../../harness/tenant.ts';

let drover: Drover;
let countryId: string;
beforeAll(async () => {
  drover = await Drover.start();
  await Conformance.watch(drover);
  countryId = await drover.define(
    'country',
    {
      name: { type: 'string' },
      area: { type: 'number', minimum: 0 },
      capital: { type: ['string', 'null'] },
      notes: { type: 'object' },
      borders: { type: 'array', items: { $ref: 'reach:schemas/country' } },
      near: { $ref: 'reach:schemas/country' },
      ...Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`field${n}`, { type: 'integer' }])),
    },
    { required: ['name'], pluralName: 'Countries' },
  );
  await drover.define(
    'person',
    { passport: { type: 'string' }, name: { type: 'string' }, home: { $ref: 'drover:schemas/country' } },
    { externalIdField: 'passport' },
  );
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

const germany = {
  externalId: 'DE',
  name: 'Germany',
  area: 357,
  capital: 'Bonn',
  notes: { a: 1, b: { c: 2 } },
  borders: [] as string[],
};

/** A tenant with Germany and France in it. */
async function world(): Promise<Tenant> {
  const tenant = new Tenant(drover);
  const { batch } = await tenant.uploaded('country', [germany, { externalId: 'FR', name: 'France' }]);
  expect(batch.status).toBe('success');
  return tenant;
}

async function referrersOf(tenant: Tenant, externalId: string): Promise<string[]> {
  const { body } = await drover.request<{ results: { resourceExternalId: string }[] }>(
    'GET',
    `/api/resources/country/${externalId}/references`,
    tenant,
  );
  return body.data.results.map((referrer) => referrer.resourceExternalId);
}

describe('a patch', () => {
  test('answers with the accepted batch, which has its own type', async () => {
    const tenant = await world();
    const accepted = await drover.request<{ batchId: string }>(
      'PATCH',
      '/api/resources/COUNTRIES/batch?ignoreUnknownFields=',
      {
        body: { resources: [{ externalId: 'DE', area: 358 }] },
        tenant: tenant.tenant,
      },
    );
    expect(accepted.status).toBe(202);
    expect(accepted.body.data).toMatchObject({ recordCount: 1, schemaDefinitionId: countryId });
    expect(await tenant.ended(accepted.body.data.batchId)).toMatchObject({
      batchType: 'PARTNER_RESOURCE_BATCH_PATCH',
      operation: 'patch',
      status: 'success',
      schemaName: 'country',
      options: { ignoreUnknownFields: false },
      counts: { queued: 0, pending: 0, succeeded: 1, failed: 0, expired: 0, skipped: 0, cancelled: 0 },
      actions: { created: 0, updated: 1, unchanged: 0, deleted: 0, cascaded: 0 },
      progress: {
        totalRecords: 1,
        processedRecords: 1,
        successfulRecords: 1,
        pendingRecords: 0,
        failedRecords: 0,
        successRate: 1,
      },
    });
  });

  test('keeps absent fields, deletes fields that are null, and replaces objects and arrays whole', async () => {
    const tenant = await world();
    const before = await tenant.stored('country', 'DE');
    const { outcomes } = await tenant.patched('country', [
      { externalId: 'DE', area: null, capital: 'Berlin', notes: { b: { d: null } }, borders: ['FR'] },
    ]);
    expect(outcomes).toEqual(['updated']);
    const stored = await tenant.stored('country', 'DE');
    expect(stored?.data).toEqual({
      externalId: 'DE',
      name: 'Germany',
      capital: 'Berlin',
      notes: { b: { d: null } },
      borders: ['FR'],
    });
    expect(stored).toMatchObject({ versionNumber: 2, createdAt: before?.createdAt });
    expect(Date.parse(stored?.updatedAt ?? '')).toBeGreaterThan(Date.parse(before?.updatedAt ?? ''));
  });

  test('that changes nothing is unchanged and keeps version and updatedAt', async () => {
    const tenant = await world();
    const before = await tenant.stored('country', 'DE');
    const { batch, outcomes } = await tenant.patched('country', [
      { externalId: 'DE' },
      { capital: 'Bonn', externalId: 'DE', notes: { b: { c: 2 }, a: 1 } },
      { externalId: 'DE', near: null },
    ]);
    expect(outcomes).toEqual(['unchanged', 'unchanged', 'unchanged']);
    expect(batch).toMatchObject({ status: 'success', actions: { created: 0, updated: 0, unchanged: 3 } });
    expect(await tenant.stored('country', 'DE')).toEqual(before);
  });

  test('never creates: a resource that does not exist fails only its item, with not_found', async () => {
    const tenant = await world();
    const { batch, items, outcomes } = await tenant.patched('country', [
      { externalId: 'XX', name: 'Nowhere' },
      { externalId: 'DE', area: 1 },
      { externalId: 'XX', name: 'Nowhere again' },
    ]);
    expect(outcomes).toEqual(['not_found', 'updated', 'not_found']);
    expect(items[0]).toEqual({
      index: 0,
      externalId: 'XX',
      status: 'failed',
      errors: [{ code: 'not_found', message: expect.any(String) }],
      attempts: 1,
    });
    expect(batch).toMatchObject({
      status: 'partial_success',
      errors: {
        summary: { not_found: 2 },
        details: { 0: expect.any(String), 2: expect.any(String) },
        message: '2 of 3 items did not succeed: 2 not_found',
      },
    });
    expect(await tenant.stored('country', 'XX')).toBeNull();
    expect((await tenant.patched('country', [{ externalId: 'YY' }])).batch.status).toBe('failed');
  });

  test('does not reach resources of another tenant', async () => {
    await world();
    expect((await new Tenant(drover).patched('country', [{ externalId: 'DE', area: 1 }])).outcomes).toEqual([
      'not_found',
    ]);
  });

  test('cannot delete a required field, nor the external id', async () => {
    const tenant = await world();
    const { items, outcomes } = await tenant.patched('country', [
      { externalId: 'DE', name: null, area: 1 },
      { externalId: null, area: 1 },
      { externalId: '', area: 1 },
      { area: 1 },
      { externalId: 5, area: 1 },
    ]);
    expect(outcomes).toEqual([
      'required_field',
      'missing_external_id',
      'missing_external_id',
      'missing_external_id',
      'invalid_external_id',
    ]);
    expect(items.map(({ errors }) => errors?.[0]?.field)).toEqual([
      'name',
      'externalId',
      'externalId',
      'externalId',
      'externalId',
    ]);
    expect(await tenant.stored('country', 'DE')).toMatchObject({ data: germany, versionNumber: 1 });
  });

  test('is valid only if the resulting resource is valid; a type error names its field', async () => {
    const tenant = await world();
    const { items, outcomes } = await tenant.patched('country', [
      { externalId: 'DE', area: -1 },
      { externalId: 'FR', area: 'wide', capital: 3 },
    ]);
    expect(outcomes).toEqual(['validation', 'validation validation']);
    expect(items.map(({ errors }) => errors?.map((error) => error.field))).toEqual([['area'], ['area', 'capital']]);
    expect(await tenant.stored('country', 'DE')).toMatchObject({ data: germany, versionNumber: 1 });
  });

  test('with an unknown field fails, null ones too; with ignoreUnknownFields it is accepted and the field not saved', async () => {
    const tenant = await world();
    const resources = [
      { externalId: 'DE', anthem: 'x', area: 1 },
      { externalId: 'FR', anthem: null },
    ];
    const strict = await tenant.patched('country', resources);
    expect(strict.outcomes).toEqual(['unknown_field', 'unknown_field']);
    expect(strict.items[0]?.errors?.[0]?.field).toBe('anthem');
    const lenient = await tenant.patched('country', resources, { ignoreUnknownFields: true });
    expect(lenient.outcomes).toEqual(['updated', 'unchanged']);
    expect(lenient.batch.options).toEqual({ ignoreUnknownFields: true });
    expect((await tenant.stored('country', 'DE'))?.data).toEqual({ ...germany, area: 1 });
  });

  test('finds resources by the external id field of the schema definition, which is an ordinary field', async () => {
    const tenant = await world();
    await tenant.uploaded('person', [{ passport: 'p1', name: 'Ann', home: 'DE' }]);
    const { outcomes } = await tenant.patched('person', [
      { passport: 'p1', name: null },
      { externalId: 'p1', name: 'x' },
    ]);
    expect(outcomes).toEqual(['updated', 'missing_external_id']);
    expect((await tenant.stored('person', 'p1'))?.data).toEqual({ passport: 'p1', home: 'DE' });
  });
});

describe('patches of one resource in one batch', () => {
  test('apply in the order received, each with its own outcome; an invalid one fails alone', async () => {
    const tenant = await world();
    const { batch, outcomes } = await tenant.patched('country', [
      { externalId: 'DE', area: 1, capital: 'A' },
      { externalId: 'FR', area: 7 },
      { externalId: 'DE', area: null },
      { externalId: 'DE', area: 'wide' },
      { externalId: 'DE', capital: 'B' },
      { externalId: 'DE', capital: 'B' },
      { externalId: 'DE', area: 2, name: null },
      { externalId: 'DE', notes: null, area: 3 },
    ]);
    expect(outcomes).toEqual([
      'updated',
      'updated',
      'updated',
      'validation',
      'updated',
      'unchanged',
      'required_field',
      'updated',
    ]);
    expect(batch.actions).toMatchObject({ updated: 5, unchanged: 1 });
    const stored = await tenant.stored('country', 'DE');
    expect(stored?.data).toEqual({ externalId: 'DE', name: 'Germany', area: 3, capital: 'B', borders: [] });
    expect(stored?.versionNumber).toBe(5);
  });

  test('keep their order among a thousand, far apart', async () => {
    const tenant = new Tenant(drover);
    const ids = Array.from({ length: 100 }, (_, n) => `c${n}`);
    await tenant.uploaded(
      'country',
      ids.map((externalId) => ({ externalId, name: externalId })),
    );
    const rounds = Array.from({ length: 10 }, (_, n) =>
      ids.map((externalId) => ({ externalId, area: n, [`field${n}`]: n })),
    );
    const { batch } = await tenant.patched('country', rounds.flat());
    expect(batch).toMatchObject({ status: 'success', counts: { succeeded: 1000 }, actions: { updated: 1000 } });
    for (const id of ['c0', 'c50', 'c99']) {
      expect(await tenant.stored('country', id)).toMatchObject({
        data: { area: 9, field0: 0, field9: 9 },
        versionNumber: 11,
      });
    }
  });
});

describe('references of a patch', () => {
  test('fail the item if they are missing; the item lists them, and nothing of it is applied', async () => {
    const tenant = await world();
    const { batch, items, outcomes } = await tenant.patched('country', [
      { externalId: 'DE', area: 1, borders: ['FR', 'XX'] },
      { externalId: 'FR', near: 'DE' },
    ]);
    expect(outcomes).toEqual(['missing_dependency', 'updated']);
    expect(items[0]).toMatchObject({
      status: 'failed',
      errors: [{ code: 'missing_dependency', field: '/borders/1' }],
      missingDependencies: [{ schemaDefinitionId: countryId, schemaName: 'country', externalId: 'XX' }],
    });
    expect(batch.pendingUntil).toBeUndefined();
    expect(await tenant.stored('country', 'DE')).toMatchObject({ data: germany, versionNumber: 1 });
  });

  test('to the resource itself are satisfied, and are not the reason of its failure', async () => {
    const tenant = new Tenant(drover);
    const { items } = await tenant.uploaded('country', [
      { externalId: 'A', name: 'A', near: 'A', borders: ['A', 'XX'] },
    ]);
    expect(items[0]?.errors).toEqual([
      { code: 'missing_dependency', message: expect.any(String), field: '/borders/1' },
    ]);
    expect(items[0]?.missingDependencies).toEqual([
      { schemaDefinitionId: countryId, schemaName: 'country', externalId: 'XX' },
    ]);
    await tenant.uploaded('country', [{ externalId: 'A', name: 'A' }]);
    expect((await tenant.patched('country', [{ externalId: 'A', near: 'A' }])).outcomes).toEqual(['updated']);
  });

  test('that are added or removed are visible to others, and a delete respects them', async () => {
    const tenant = await world();
    expect((await tenant.patched('country', [{ externalId: 'DE', near: 'FR', borders: ['DE'] }])).outcomes).toEqual([
      'updated',
    ]);
    expect(await referrersOf(tenant, 'FR')).toEqual(['DE']);
    expect(await referrersOf(tenant, 'DE')).toEqual(['DE']);
    const kept = await tenant.ended(await drover.delete('country', { externalIds: ['FR'] }, tenant));
    expect(kept).toMatchObject({
      counts: { skipped: 1 },
      errors: { summary: { referenced: 1 }, message: '1 of 1 items were skipped: 1 referenced' },
    });
    expect((await tenant.patched('country', [{ externalId: 'DE', near: null, borders: [] }])).outcomes).toEqual([
      'updated',
    ]);
    expect(await referrersOf(tenant, 'FR')).toEqual([]);
    const deleted = await tenant.ended(await drover.delete('country', { externalIds: ['FR'] }, tenant));
    expect(deleted).toMatchObject({ counts: { succeeded: 1 }, actions: { deleted: 1 } });
  });

  test('a field that the patch does not name keeps its references', async () => {
    const tenant = await world();
    await tenant.patched('country', [{ externalId: 'DE', near: 'FR' }]);
    await tenant.patched('country', [{ externalId: 'DE', area: 1 }]);
    expect(await referrersOf(tenant, 'FR')).toEqual(['DE']);
  });
});

/** The patches of a tenant, from the list of batches. */
async function patches(tenant: Tenant): Promise<BatchView[]> {
  const { body } = await drover.request<{ results: BatchView[] }>(
    'GET',
    '/api/batches?limit=100&batchType=PARTNER_RESOURCE_BATCH_PATCH',
    tenant,
  );
  return body.data.results;
}

/** Two batches that continue only when both have read the stored resource: so both decide on the same version. */
class Meeting {
  readonly #arrived = new Set<string>();
  #open = (): void => undefined;
  readonly #opened = new Promise<void>((resolve) => (this.#open = resolve));

  come(batchId: string): Promise<void> {
    if (this.#arrived.add(batchId).size === 2) this.#open();
    return this.#opened;
  }
}

describe('racing patches', () => {
  test('of two batches on one resource both take effect, in 50 rounds in which both decide on the same version', async () => {
    const tenant = new Tenant(drover);
    const ids = Array.from({ length: 50 }, (_, n) => `r${n}`);
    await tenant.uploaded(
      'country',
      ids.map((externalId) => ({ externalId, name: externalId })),
    );
    // small batches are local activities, of which a worker runs four at once
    for (let at = 0; at < ids.length; at += 2) {
      let resolveMeetings = (_: ReadonlyMap<string, Meeting>): void => undefined;
      const meetings = new Promise<ReadonlyMap<string, Meeting>>((resolve) => (resolveMeetings = resolve));
      drover.atCheckpoint(async (checkpoint, batchId) => {
        if (checkpoint === 'checked') await (await meetings).get(batchId)?.come(batchId);
      });
      const pairs = await Promise.all(
        ids.slice(at, at + 2).map((externalId) => {
          const pair = [
            { externalId, area: 1, field0: null },
            { externalId, capital: 'both', field1: 1 },
          ];
          return Promise.all(pair.map((patch) => drover.patch('country', [patch], {}, tenant)));
        }),
      );
      resolveMeetings(
        new Map(
          pairs.flatMap((pair) => {
            const meeting = new Meeting();
            return pair.map((batchId) => [batchId, meeting] as const);
          }),
        ),
      );
      // not by querying their workflows, which would keep the worker busy
      await expect
        .poll(async () => (await patches(tenant)).filter(({ completedAt }) => completedAt).length, {
          interval: 100,
          timeout: 30_000,
        })
        .toBe(2 * (at + 2));
    }
    expect((await patches(tenant)).map(({ actions }) => actions.updated)).toEqual(Array.from({ length: 100 }, () => 1));
    for (const id of ids) {
      const stored = await tenant.stored('country', id);
      expect(stored).toMatchObject({
        data: { externalId: id, name: id, area: 1, capital: 'both', field1: 1 },
        versionNumber: 3,
      });
    }
  });

  test('that race the delete of their resource are applied before it, or find no resource', async () => {
    const tenant = new Tenant(drover);
    const ids = Array.from({ length: 10 }, (_, n) => `d${n}`);
    await tenant.uploaded(
      'country',
      ids.map((externalId) => ({ externalId, name: externalId })),
    );
    const outcomes = await Promise.all(
      ids.map(async (externalId) => {
        const [patch, deletion] = await Promise.all([
          drover.patch('country', [{ externalId, area: 1 }], {}, tenant),
          drover.delete('country', { externalIds: [externalId] }, tenant),
        ]);
        expect((await tenant.ended(deletion)).actions.deleted).toBe(1);
        await tenant.ended(patch);
        const [item] = await tenant.items(patch);
        return item?.action ?? item?.errors?.[0]?.code;
      }),
    );
    expect(outcomes.every((outcome) => outcome === 'updated' || outcome === 'not_found')).toBe(true);
    for (const id of ids) expect(await tenant.stored('country', id)).toBeNull();
  });
});
