import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../../../test/harness/drover.ts';
import {
  type BulkOperation,
  createDrover,
  type DroverClient,
  DroverError,
  parseNdjson,
  piecesOf,
} from '../src/index.ts';

let drover: Drover;
let server: Server;
let client: DroverClient;
beforeAll(async () => {
  drover = await Drover.start();
  server = createAdaptorServer({ fetch: drover.app.fetch }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = createDrover({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, tenant: 'café, one' });
  await client.schemaDefinitions.create({
    name: 'lamp',
    pluralName: 'lamps',
    schema: { type: 'object', properties: { watts: { type: 'integer' }, next: { $ref: 'reach:schemas/lamp' } } },
  });
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await drover.stop();
});

const failureOf = (call: Promise<unknown>): Promise<DroverError> =>
  call.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(DroverError);
      return error as DroverError;
    },
  );

test('a batch is uploaded, waited for, and read item by item', async () => {
  const { batchId, recordCount } = await client.resources.upload('lamps', [
    { externalId: 'a', watts: 4 },
    { externalId: 'b', watts: 'many' },
  ]);
  expect(recordCount).toBe(2);
  const batch = await client.batches.wait(batchId);
  expect(batch).toMatchObject({ status: 'partial_success', counts: { succeeded: 1, failed: 1 } });
  const items = await client.batches.items(batchId).toArray();
  expect(items.map(({ externalId, status }) => [externalId, status])).toEqual([
    ['a', 'succeeded'],
    ['b', 'failed'],
  ]);
  expect(await client.batches.items(batchId, { status: 'failed' }).toArray()).toEqual([items[1]]);
  expect((await client.resources.get('lamp', 'a')).data).toEqual({ externalId: 'a', watts: 4 });
});

test('a list is read to its end, page by page, and only as far as requested', async () => {
  const tenant = client.forTenant('pages');
  const lamps = Array.from({ length: 25 }, (_, n) => ({ externalId: `lamp-${String(n).padStart(2, '0')}` }));
  const { batchId } = await tenant.resources.upload('lamp', lamps);
  await tenant.batches.wait(batchId);
  const sizes: number[] = [];
  for await (const { results } of tenant.resources.list('lamp', { limit: 10 }).pages()) sizes.push(results.length);
  expect(sizes).toEqual([10, 10, 5]);
  const ids: (string | null)[] = [];
  for await (const { externalId } of tenant.batches.items(batchId, { limit: 10 })) {
    ids.push(externalId);
    if (ids.length === 12) break;
  }
  expect(ids).toEqual(lamps.slice(0, 12).map(({ externalId }) => externalId));
  const { pagination } = await tenant.resources.list('lamp', { limit: 10 }).page();
  expect(pagination).toMatchObject({ hasNextPage: true, total: 25 });
  expect(await tenant.batches.list({ status: 'failed' }).toArray()).toEqual([]);
});

test('tenants do not see each other, whatever their names', async () => {
  const [one, other] = [client.forTenant("l'été, (1)*"), client.forTenant('l')];
  await one.batches.wait((await one.resources.upload('lamp', [{ externalId: 'only' }])).batchId);
  expect((await one.resources.get('lamp', 'only')).resourceExternalId).toBe('only');
  expect((await failureOf(other.resources.get('lamp', 'only'))).status).toBe(404);
});

test('external ids that cannot be part of a path are found', async () => {
  const tenant = client.forTenant('dots');
  const ids = ['.', '..', 'a/b?c', '%2e', ' '];
  await tenant.batches.wait(
    (
      await tenant.resources.upload(
        'lamp',
        ids.map((externalId) => ({ externalId, next: externalId })),
      )
    ).batchId,
  );
  for (const id of ids) {
    expect((await tenant.resources.get('lamp', id)).resourceExternalId).toBe(id);
    const referrers = await tenant.resources.references('lamp', id).toArray();
    expect(referrers.map(({ resourceExternalId }) => resourceExternalId)).toEqual([id]);
  }
});

test('the same idempotency key gives the same batch, and another request a 422', async () => {
  const options = { idempotencyKey: 'order 7' };
  const first = await client.resources.upload('lamp', [{ externalId: 'k' }], options);
  expect(await client.resources.upload('lamp', [{ externalId: 'k' }], options)).toEqual(first);
  expect((await failureOf(client.resources.upload('lamp', [{ externalId: 'l' }], options))).status).toBe(422);
});

test('a delete is previewed without effect, and then done', async () => {
  const tenant = client.forTenant('deletes');
  const lamps = [{ externalId: 'a' }, { externalId: 'b', next: 'a' }];
  await tenant.batches.wait((await tenant.resources.upload('lamp', lamps)).batchId);
  const deletion = { externalIds: ['a'], cascade: true };
  expect(await tenant.resources.previewDelete('lamp', deletion)).toMatchObject({ dryRun: true, totalDeletions: 2 });
  const { batchId } = await tenant.resources.delete('lamp', deletion);
  expect((await tenant.batches.wait(batchId)).actions).toMatchObject({ deleted: 1, cascaded: 1 });
  expect(await tenant.resources.list('lamp').toArray()).toEqual([]);
});

test('a waiting batch is reported as waiting, suspended, resumed and cancelled; then it is removed', async () => {
  const lamp = { externalId: 'w', next: 'nowhere' };
  const { batchId } = await client.resources.upload('lamp', [lamp], { dependencyWaitTimeout: 600 });
  await client.batches.wait(batchId, { until: ({ status }) => status === 'waiting' });
  const { pendingResources } = await client.batches.get(batchId, { includePendingDetails: true });
  expect(pendingResources?.[0]?.missingDependencies[0]).toMatchObject({ schemaName: 'lamp', externalId: 'nowhere' });
  expect((await client.batches.suspend(batchId)).suspended).toBe(true);
  expect((await client.batches.resume(batchId)).suspended).toBe(false);
  const statuses: string[] = [];
  const end = client.batches.wait(batchId, { onChange: ({ status }) => statuses.push(status) });
  await client.batches.cancel(batchId);
  expect((await end).status).toBe('cancelled');
  expect(statuses.at(-1)).toBe('cancelled');
  expect((await failureOf(client.batches.resume(batchId))).status).toBe(409);
  await client.batches.delete(batchId);
  expect((await failureOf(client.batches.wait(batchId))).status).toBe(404);
});

test('a wait by polling ends with the same state', async () => {
  const { batchId } = await client.resources.upload('lamp', [{ externalId: 'p' }]);
  expect((await client.batches.wait(batchId, { pollMs: 20 })).status).toBe('success');
});

test('the events of a batch end when the batch does', async () => {
  const { batchId } = await client.resources.upload('lamp', [{ externalId: 'e' }]);
  const statuses: string[] = [];
  for await (const { status } of client.batches.events(batchId)) statuses.push(status);
  expect(statuses.at(-1)).toBe('success');
});

test('each fault of a request is in its error', async () => {
  const error = await failureOf(client.resources.upload('lamp', []));
  expect(error).toMatchObject({ status: 400, message: expect.stringContaining('at least one resource') });
  expect(error.errors).toEqual([expect.stringContaining('resources')]);
  expect((await failureOf(client.resources.upload('unknown', [{}]))).status).toBe(404);
});

test('schema definitions are defined, read, replaced and deleted', async () => {
  const made = await client.schemaDefinitions.create({ name: 'shade', schema: { type: 'object', properties: {} } });
  const schema = { type: 'object', properties: { size: { type: 'integer' } } };
  const next = await client.schemaDefinitions.replace('shade', { ...made, schema });
  expect(next).toMatchObject({ id: made.id, versionNumber: 2, schema });
  expect((await failureOf(client.schemaDefinitions.replace('shade', { ...made, schema }))).status).toBe(409);
  const names = (await client.schemaDefinitions.list().toArray()).map(({ name }) => name);
  expect(names).toEqual(['shade', 'lamp']);
  await client.schemaDefinitions.delete('shade');
  expect((await failureOf(client.schemaDefinitions.get('shade'))).status).toBe(404);
});

test('any number of resources, in batches whose references cross, is applied once, also under the same key again', async () => {
  const tenant = client.forTenant('all');
  // each refers to one of a later batch
  const lamps = Array.from({ length: 250 }, (_, n) => ({
    externalId: `l${n}`,
    ...(n < 200 && { next: `l${n + 50}` }),
  }));
  const options = { key: 'all lamps', batchSize: 50, inFlight: 2, dependencyWaitTimeout: 600 };
  const summary = await tenant.uploadAll('lamp', lamps, options);
  expect(summary).toMatchObject({ total: 250, counts: { succeeded: 250 }, actions: { created: 250 } });
  expect(summary.batchIds).toHaveLength(5);
  expect(await tenant.uploadAll('lamp', lamps, options)).toEqual(summary);
  expect((await tenant.batches.list().page()).pagination.total).toBe(5);
  expect(await tenant.uploadAll('lamp', [{ externalId: 'l1', watts: 'x' }], { operation: 'patch' })).toMatchObject({
    counts: { succeeded: 0, failed: 1 },
  });
});

test('a file is imported in parts, its results are read as objects, and what is exported is what was imported', async () => {
  const tenant = client.forTenant(`files-${randomUUID()}`);
  const rows = Array.from({ length: 30 }, (_, n) => JSON.stringify({ externalId: `f${n}`, watts: n === 7 ? 'x' : n }));
  const file = new Blob([`${rows.join('\n')}\n`]);
  const started: string[] = [];
  const options = { schema: 'lamp', format: 'ndjson', partBytes: 100, label: 'lamps' } as const;
  const importId = await tenant.import(file, { ...options, onStart: (id) => started.push(id) });
  expect(started).toEqual([importId]);
  expect(await tenant.imports.wait(importId, { pollMs: 50 })).toMatchObject({ counts: { succeeded: 29, failed: 1 } });
  expect(await tenant.import(file, { ...options, resume: importId })).toBe(importId);
  const failed: unknown[] = [];
  for await (const row of parseNdjson(piecesOf(await tenant.imports.results(importId, { status: 'failed' }))))
    failed.push(row);
  expect(failed).toEqual([expect.objectContaining({ line: 8, row: { externalId: 'f7', watts: 'x' } })]);
  const ids: string[] = [];
  for await (const { externalId } of parseNdjson<{ externalId: string }>(
    piecesOf(await tenant.resources.export('lamp')),
  ))
    ids.push(externalId);
  expect(ids).toHaveLength(29);
  expect((await tenant.imports.list({ label: 'lamps' }).toArray()).map((one) => one.importId)).toEqual([importId]);
  // one batch, or more if the parts arrive slowly
  const batches = await tenant.imports.batches(importId).toArray();
  expect(batches.reduce((rows, { progress }) => rows + progress.totalRecords, 0)).toBe(30);
  await tenant.imports.delete(importId);
  expect((await failureOf(tenant.imports.get(importId))).status).toBe(404);
  expect((await failureOf(tenant.imports.results(importId))).status).toBe(404);
});

test('many batches are counted, and then cancelled and removed by a filter', async () => {
  const tenant = client.forTenant('many');
  for (const label of ['nightly', 'nightly', 'daily'])
    await tenant.resources.upload('lamp', [{ externalId: label, next: 'none' }], {
      label,
      dependencyWaitTimeout: 3_600,
    });
  const filter = { label: 'nightly', status: ['queued', 'processing', 'waiting'] };
  expect(await tenant.bulkOperations.preview('cancel', filter)).toEqual({ dryRun: true, matched: 2 });
  const { bulkOperationId } = await tenant.bulkOperations.start('cancel', filter);
  const seen: string[] = [];
  const options = { pollMs: 50, onChange: ({ status }: BulkOperation) => seen.push(status) };
  expect(await tenant.bulkOperations.wait(bulkOperationId, options)).toMatchObject({
    status: 'success',
    matched: 2,
    done: 2,
  });
  expect(seen.at(-1)).toBe('success');
  await expect
    .poll(() => tenant.bulkOperations.preview('delete', filter), { timeout: 20_000 })
    .toMatchObject({ matched: 0 });
  const empty = await failureOf(tenant.bulkOperations.start('delete', {}));
  expect([empty.status, empty.errors[0]]).toEqual([400, expect.stringContaining('at least one filter')]);
});

test('any number of resources is previewed, as is an undo, and nothing is stored', async () => {
  const tenant = client.forTenant('previews');
  const lamps = [
    { externalId: 'a', watts: 1 },
    { externalId: 'b', watts: 'many' },
    { externalId: 'c', next: 'a' },
  ];
  const previewOf = async (operation: 'upload' | 'patch') => {
    const items = [];
    for await (const item of tenant.previewAll('lamp', lamps, { operation, batchSize: 2 })) items.push(item);
    return items.map(({ index, externalId, status }) => [index, externalId, status]);
  };
  expect(await previewOf('upload')).toEqual([
    [0, 'a', 'succeeded'],
    [1, 'b', 'failed'],
    [2, 'c', 'failed'],
  ]);
  expect(await previewOf('patch')).toEqual([
    [0, 'a', 'failed'],
    [1, 'b', 'failed'],
    [2, 'c', 'failed'],
  ]);
  expect(await tenant.resources.list('lamp').toArray()).toEqual([]);
  const { batchId } = await tenant.resources.upload('lamp', lamps, { undoable: true });
  await tenant.batch(batchId).finished();
  const preview = await tenant.batch(batchId).previewUndo();
  expect(preview).toMatchObject({ dryRun: true, itemsTotal: 2, actions: { reverted: 2 } });
  expect(await tenant.resources.list('lamp').toArray()).toHaveLength(2);
});

test('a batch by its id gives the items that have no success', async () => {
  const { batchId } = await client.resources.upload('lamp', [{ externalId: 'h', watts: 'x' }, { externalId: 'i' }]);
  const batch = client.batch(batchId);
  expect((await batch.finished()).status).toBe('partial_success');
  const failed: number[] = [];
  for await (const { index } of batch.failed()) failed.push(index);
  expect(failed).toEqual([0]);
  expect(await batch.items().toArray()).toHaveLength(2);
  await batch.delete();
  expect((await failureOf(batch.status())).status).toBe(404);
});
