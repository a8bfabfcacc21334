import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { NAMESPACE_SCOPE, type Scope } from '../../../domain/batch/scope.ts';
import { type BatchDocument, findBatch, insertBatch } from '../../../store/batches/batches.ts';
import { countTerminations } from '../../../store/batches/terminations.ts';
import { moveNamespaceBatches, moveNamespaceBatchesAtLast } from '../../../store/migrations/namespace-batches.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';

const DEFAULT: Scope = { platform: 'default', tenant: 'default' };

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `namespace-batches-${randomUUID()}`);
});
afterAll(() => database.close());

/** A deletion of process instances as an earlier version stored it. */
function stored(scope: Scope, reach: 'namespace' | 'tenant'): Promise<BatchDocument> {
  const settings = { invocationsPerBatchJob: 1, batchJobsPerSeed: 100, terminationGraceSeconds: 10 };
  const flags = { skipCustomListeners: false, skipSubprocesses: false, failIfNotExists: true };
  return insertBatch(database, {
    _id: randomUUID(),
    scope,
    operation: 'terminate',
    options: { ...settings, ...flags, reach, requestedAt: new Date().toISOString() },
    total: 1,
    pageSize: 100,
    createdAt: new Date(),
  });
}

test("the operator's batches that an earlier version stored under the tenant default belong to no tenant any more", async () => {
  const operators = await stored(DEFAULT, 'namespace');
  const tenants = await stored(DEFAULT, 'tenant');
  const others = await stored({ platform: 'acme', tenant: 'default' }, 'tenant');
  await moveNamespaceBatchesAtLast(database, pino({ level: 'silent' }), new AbortController().signal);
  expect(await findBatch(database, DEFAULT, operators._id)).toBeNull();
  expect(await findBatch(database, NAMESPACE_SCOPE, operators._id)).toMatchObject({ platform: 'default', tenant: '' });
  expect(await findBatch(database, DEFAULT, tenants._id)).toEqual(tenants);
  expect(await findBatch(database, { platform: 'acme', tenant: 'default' }, others._id)).toEqual(others);
  expect(await moveNamespaceBatches(database)).toBe(0);
});

test('filters by tenant compare the tenant of the batch', async () => {
  await stored(NAMESPACE_SCOPE, 'namespace');
  await stored(DEFAULT, 'tenant');
  const count = (scope: Scope, filter: object): Promise<number> => countTerminations(database, scope, filter);
  const all = { operator: await count(NAMESPACE_SCOPE, {}), tenant: await count(DEFAULT, {}) };
  expect(all.operator).toBeGreaterThan(0);
  expect(all.tenant).toBeGreaterThan(0);
  expect(await count(NAMESPACE_SCOPE, { isWithoutTenant: true })).toBe(all.operator);
  expect(await count(NAMESPACE_SCOPE, { tenantIn: ['default', ''] })).toBe(0);
  expect(await count(DEFAULT, { tenantIn: ['other', 'default'] })).toBe(all.tenant);
  expect(await count(DEFAULT, { tenantIn: ['other'] })).toBe(0);
  expect(await count(DEFAULT, { isWithoutTenant: true })).toBe(0);
});
