import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ImportView } from '../../../services/imports/view-import.ts';
import { undoImport } from '../../../services/undo/undo-import.ts';
import { readBulkOperation } from '../../../store/bulk/bulk-operations.ts';
import { readImport } from '../../../store/imports/imports.ts';
import { Conformance } from '../../harness/conformance.ts';
import { type Answer, Drover, spawnWorker } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';
import { ended, ndjson, opened, putPart, seal, started, until, view } from '../imports/imports.ts';

/** An operation, or what it would do. */
interface UndoView {
  readonly bulkOperationId: string;
  readonly operation: string;
  readonly status: string;
  readonly matched: number;
  readonly done: number;
  readonly skipped: number;
  readonly failed: Record<string, number>;
  readonly counts: Record<string, number>;
  readonly actions: Record<string, number>;
  readonly completedAt?: string;
}

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await Conformance.watch(drover);
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

let schemas = 0;
/** A schema definition of its own, so that a test may be repeated. */
async function defined(): Promise<string> {
  schemas += 1;
  const name = `row-${process.pid}-${Date.now().toString(36)}-${schemas}`;
  await drover.define(name, { n: { type: 'integer' }, to: { $ref: `reach:schemas/${name}` } });
  return name;
}

const undo = (importId: string, query = '', tenant = 'default'): Promise<Answer<UndoView>> =>
  drover.request<UndoView>('POST', `/api/imports/${importId}/undo${query}`, { tenant });
const read = async (id: string): Promise<UndoView> =>
  (await drover.request<UndoView>('GET', `/api/bulk-operations/${id}`)).body.data;

async function accepted(importId: string): Promise<string> {
  const { status, body } = await undo(importId);
  expect([body.message, status]).toEqual(['Undo accepted', 202]);
  expect(body.data).toMatchObject({ operation: 'undo', filter: { importId } });
  return body.data.bulkOperationId;
}

async function over(id: string): Promise<UndoView> {
  await expect.poll(async () => (await read(id)).completedAt, { timeout: 60_000, interval: 100 }).toBeDefined();
  return read(id);
}

/** The data of all resources of a definition. */
const contents = async (schema: string) =>
  (await drover.client().resources.list(schema).toArray()).map(({ id, data }) => ({ id, data }));

/** Imports rows, each part of them as a batch of its own. */
async function imported(
  schema: string,
  parts: readonly (readonly object[])[],
  options: object = {},
): Promise<ImportView> {
  const importId = await opened(drover, { schema, undoable: true, ...options });
  let rows = 0;
  for (const [n, part] of parts.entries()) {
    expect((await putPart(drover, importId, n + 1, ndjson(part))).status).toBe(201);
    rows += part.length;
    await until(drover, importId, ({ rowsRead }) => rowsRead === rows);
  }
  expect((await seal(drover, importId, parts.length)).status).toBe(200);
  return ended(drover, importId);
}

const batchesOf = async (importId: string) => {
  const path = `/api/imports/${importId}/batches?limit=100`;
  type Page = { results: { batchId: string; undoneBy?: string }[] };
  return (await drover.request<Page>('GET', path)).body.data.results;
};

const row = (n: number, more: object = {}) => ({ externalId: `r${n}`, n, ...more });

test('an import is undone whole: rows that refer to later batches and to earlier ones, and several that wrote one resource', async () => {
  const schema = await defined();
  await drover.ended(await drover.upload(schema, [row(0, { n: -1 }), row(1, { n: -1 }), { externalId: 'free', n: 7 }]));
  const before = await contents(schema);
  // each batch writes the first two, and refers to the one after it and to the one before
  const part = (n: number) => [
    row(0, { n }),
    row(1, { n }),
    ...(n === 30 ? [] : [row(n, { to: `r${n + 11}` })]),
    row(n + 1, n === 10 ? {} : { to: `r${n - 9}` }),
    row(n + 2),
  ];
  const { importId, status, options, batches } = await imported(schema, [part(10), part(20), part(30)], {
    label: 'whole',
  });
  expect([status, options.undoable, batches.total]).toEqual(['success', true, 3]);
  const said = await undo(importId, '?dryRun=true');
  expect([said.status, said.body.data]).toMatchObject([
    200,
    { dryRun: true, matched: 3, done: 3, skipped: 0, failed: {} },
  ]);
  expect(await contents(schema)).toHaveLength(11);
  const id = await accepted(importId);
  const operation = await over(id);
  expect(operation).toMatchObject({ status: 'success', matched: 3, done: 3, skipped: 0, failed: {} });
  expect(operation.counts).toMatchObject({ succeeded: 14, skipped: 0, failed: 0 });
  expect(operation.counts).toEqual(said.body.data.counts);
  expect(operation.actions).toEqual(said.body.data.actions);
  expect(await contents(schema)).toEqual(before);
  expect((await view(drover, importId)).undoneBy).toBe(id);
  for (const { undoneBy = '' } of await batchesOf(importId))
    expect(await drover.batch(undoneBy)).toMatchObject({ operation: 'undo', status: 'success' });
  for (const verb of ['undo', 'retry']) {
    const { status: again, body } = await drover.request('POST', `/api/imports/${importId}/${verb}`);
    expect([again, body.message]).toEqual([409, expect.stringContaining(id)]);
  }
  expect((await undo(importId, '', 'foreign')).status).toBe(404);
  expect((await drover.request('POST', `/api/bulk-operations/${id}/cancel`)).status).toBe(409);
});

test('a cascading delete, a patch, and what others have done meanwhile: what is not reverted says why, the rest is', async () => {
  const schema = await defined();
  await drover.ended(await drover.upload(schema, [row(1), row(2, { to: 'r1' }), row(3), row(4)]));
  const before = await contents(schema);
  const deleted = await imported(schema, [[{ externalId: 'r1' }]], { operation: 'delete', cascade: true });
  expect(await contents(schema)).toHaveLength(2);
  expect((await over(await accepted(deleted.importId))).counts).toMatchObject({ succeeded: 2 });
  expect(await contents(schema)).toEqual(before);
  const patched = await imported(
    schema,
    [
      [
        { externalId: 'r3', n: 8 },
        { externalId: 'r4', n: 8 },
      ],
    ],
    { operation: 'patch' },
  );
  await drover.ended(await drover.patch(schema, [{ externalId: 'r4', n: 9 }]));
  const said = (await undo(patched.importId, '?dryRun=true')).body.data;
  const operation = await over(await accepted(patched.importId));
  expect(operation).toMatchObject({ status: 'success', done: 1, counts: { succeeded: 1, skipped: 1 } });
  expect(operation.counts).toEqual(said.counts);
  expect((await contents(schema)).map(({ data }) => data.n)).toEqual([1, 2, 3, 9]);
  // a batch that was undone on its own is left alone
  const { importId } = await imported(schema, [[row(5)]]);
  const [own] = await batchesOf(importId);
  await drover.request('POST', `/api/batches/${own?.batchId}/undo`);
  expect((await undo(importId, '?dryRun=true')).body.data).toMatchObject({ matched: 1, done: 0, skipped: 1 });
  expect(await over(await accepted(importId))).toMatchObject({ matched: 1, done: 0, skipped: 1, status: 'success' });
});

test('undo of a running import, of one that was not undoable, whose batches are gone, twice at once: 409', async () => {
  const schema = await defined();
  const refused = async (importId: string, why: RegExp) => {
    for (const query of ['', '?dryRun=true']) {
      const { status, body } = await undo(importId, query);
      expect([status, body.message]).toEqual([409, expect.stringMatching(why)]);
    }
  };
  const startAt = new Date(Date.now() + 3_600_000).toISOString();
  await refused(await started(drover, { schema, undoable: true, startAt }, ndjson([row(1)])), /still running/);
  await refused((await imported(schema, [[row(1)]], { undoable: false })).importId, /not kept/);
  const gone = await imported(schema, [[row(2)]]);
  for (const { batchId } of await batchesOf(gone.importId)) await drover.client().batches.delete(batchId);
  await refused(gone.importId, /no longer kept/);
  const { importId } = await imported(schema, [[row(3)]]);
  const answers = await Promise.all(Array.from({ length: 4 }, () => undo(importId)));
  expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409]);
  const checked = await drover.request(
    'POST',
    `/api/imports?schema=${schema}&undoable=true&validateOnly=true&format=csv`,
  );
  expect([checked.status, checked.body.errors]).toEqual([
    400,
    ['undoable: not with validateOnly, which changes nothing'],
  ]);
});

test('killed after a batch was undone and before that was noted, it goes on, and undoes each once', async () => {
  const schema = await defined();
  const { importId } = await imported(schema, [[row(1), row(2)], [row(3)], [row(4)]]);
  await drover.stopWorker();
  const worker = await spawnWorker(drover, { checkpoint: 'bulk-acted', nth: 1 });
  const id = await accepted(importId);
  await worker.ended;
  await drover.startWorker();
  const operation = await over(id);
  expect(operation).toMatchObject({ status: 'success', matched: 3, done: 3, counts: { succeeded: 4 } });
  expect(await contents(schema)).toEqual([]);
  const undos = (await batchesOf(importId)).map(({ undoneBy }) => undoneBy);
  expect(new Set(undos).size).toBe(3);
}, 90_000);

test('stored and not started, or not claimed, it is started by recovery; cancelled, it begins no further batch', async () => {
  const schema = await defined();
  const { database } = drover.services;
  const first = await imported(schema, [[row(1)]]);
  const stored = await readImport(database, first.importId);
  const nobody = { ...drover.services, isTemporalThere: async () => false };
  const unstarted = stored && (await undoImport(nobody, stored, 'ada'));
  await recoverNow(drover);
  expect(await over(unstarted?._id ?? '')).toMatchObject({ done: 1, createdBy: 'ada' });
  const [own] = await batchesOf(first.importId);
  expect(await drover.batch(own?.undoneBy ?? '')).toMatchObject({ createdBy: 'ada' });

  const { importId } = await imported(schema, [[row(10)], [row(11)]]);
  const held = drover.holdAt('bulk-acted');
  const id = await accepted(importId);
  await held.reached;
  expect((await drover.request('POST', `/api/bulk-operations/${id}/cancel`)).status).toBe(200);
  held.open();
  // the undo that runs goes on by itself
  expect(await over(id)).toMatchObject({ status: 'cancelled', matched: 2, done: 0 });
  expect((await drover.request<UndoView>('POST', `/api/bulk-operations/${id}/cancel`)).body.data.status).toBe(
    'cancelled',
  );
  expect((await readBulkOperation(database, id))?.cancelRequested).toBe(true);
  expect((await batchesOf(importId)).filter(({ undoneBy }) => undoneBy !== undefined)).toHaveLength(1);
  // another one goes on with what is left
  const next = await over(await accepted(importId));
  expect(next).toMatchObject({ status: 'success', matched: 2, done: 2, skipped: 0, counts: { succeeded: 2 } });
  expect((await undo(importId)).status).toBe(409);
});

test('batches that are removed before their turn are not undone, and the operation says so', async () => {
  const schema = await defined();
  const { importId } = await imported(schema, [[row(1)], [row(2)], [row(3)]]);
  const held = drover.holdAt('bulk-acted');
  const id = await accepted(importId);
  await held.reached;
  expect((await drover.request('DELETE', `/api/imports/${importId}`)).status).toBe(200);
  held.open();
  const operation = await over(id);
  expect(operation.status).not.toBe('success');
  expect(operation.done + operation.skipped + (operation.failed.not_found ?? 0)).toBe(3);
  expect(operation.failed.not_found).toBeGreaterThan(1);
});

test('a tenant has ten bulk operations at a time, and others have theirs', async () => {
  await drover.stopWorker();
  const body = { filter: { label: 'nothing of this name' } };
  const start = (tenant: string) => drover.request<UndoView>('POST', '/api/batches/cancel', { body, tenant });
  const cancel = (id: string) => drover.request('POST', `/api/bulk-operations/${id}/cancel`, { tenant: 'crowded' });
  const ids: string[] = [];
  for (let n = 0; n < 10; n++) {
    const { status, body: accepted } = await start('crowded');
    expect(status).toBe(202);
    ids.push(accepted.data.bulkOperationId);
  }
  const refused = await start('crowded');
  expect([refused.status, refused.body.message]).toEqual([429, expect.stringContaining('10 bulk operations')]);
  expect((await start('another')).status).toBe(202);
  for (const id of ids) expect((await cancel(id)).status).toBe(200);
  await drover.startWorker();
  const statusOf = async (id: string) =>
    (await drover.request<UndoView>('GET', `/api/bulk-operations/${id}`, { tenant: 'crowded' })).body.data.status;
  for (const id of ids) await expect.poll(() => statusOf(id), { timeout: 30_000 }).toBe('cancelled');
});
