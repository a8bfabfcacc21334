import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { batchesIn, toBatchDocument } from '../../../store/batches/batches.ts';
import { readBulkOperation } from '../../../store/bulk/bulk-operations.ts';
import { bulkWorkflowId } from '../../../workflows/bulk/messages.ts';
import { Conformance } from '../../harness/conformance.ts';
import { type Answer, Drover, spawnWorker } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';

interface BulkView {
  readonly bulkOperationId: string;
  readonly operation: string;
  readonly status: string;
  readonly matched: number;
  readonly done: number;
  readonly skipped: number;
  readonly failed: Record<string, number>;
  readonly completedAt?: string;
}

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await Conformance.watch(drover);
  await drover.define('leaf', { on: { $ref: 'reach:schemas/leaf' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

const bulk = (verb: string, filter: unknown, query = '', tenant = 'default'): Promise<Answer<BulkView>> =>
  drover.request<BulkView>('POST', `/api/batches/${verb}${query}`, { body: { filter }, tenant });
const read = async (id: string): Promise<BulkView> =>
  (await drover.request<BulkView>('GET', `/api/bulk-operations/${id}`)).body.data;

async function accepted(verb: string, filter: object): Promise<string> {
  const { status, body } = await bulk(verb, filter);
  expect([body.errors, status]).toEqual([undefined, 202]);
  expect(body.data).toMatchObject({ operation: verb, filter });
  return body.data.bulkOperationId;
}

async function ended(id: string): Promise<BulkView> {
  await expect.poll(async () => (await read(id)).completedAt, { timeout: 40_000 }).toBeDefined();
  return read(id);
}

/** Batches that wait for something that never comes. */
async function waiting(label: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const item = { externalId: `${label}-${n}`, on: 'nowhere' };
    ids.push(await drover.upload('leaf', [item], { dependencyWaitTimeout: 600, label }));
  }
  for (const id of ids) await drover.waiting(id);
  return ids;
}

/** A batch that has finished, as it is stored. */
function asFinished(
  about: { _id: string; createdAt: Date; label: string; createdBy?: string },
  schemaDefinitionId: string,
) {
  const {
    unstarted: _,
    startDue: __,
    ...document
  } = toBatchDocument({
    ...about,
    scope: { platform: 'default', tenant: 'default' },
    operation: 'upload',
    options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 },
    schemaDefinitionId,
    schemaName: 'leaf',
    total: 0,
    pageSize: 50,
  });
  return { ...document, status: 'success' as const, completedAt: about.createdAt };
}

const statesOf = async (ids: readonly string[]): Promise<string[]> => {
  const found = await batchesIn(drover.services.database)
    .find({ _id: { $in: [...ids] } })
    .toArray();
  return found.map(({ status, suspended, deletedAt }) => (deletedAt ? 'deleted' : suspended ? 'suspended' : status));
};
const allAre = (ids: readonly string[], state: string) =>
  expect.poll(async () => new Set(await statesOf(ids)), { timeout: 20_000 }).toEqual(new Set([state]));

test('what fits a filter is suspended, resumed, cancelled, retried and removed; what came later or is of others is not touched', async () => {
  const ids = await waiting('life', 4);
  const filter = { label: 'life', status: ['waiting', 'processing', 'queued'], createdAfter: '2020-01-01' };
  expect((await bulk('suspend', filter, '?dryRun=true')).body).toMatchObject({
    data: { dryRun: true, matched: 4 },
  });
  const [other] = await waiting('other', 1);
  const foreign = await drover.upload('leaf', [{ externalId: 'f' }], { label: 'life' }, { tenant: 'foreign' });
  const whole = { matched: 4, done: 4, skipped: 0, failed: {}, status: 'success' };
  expect(await ended(await accepted('suspend', filter))).toMatchObject(whole);
  await allAre(ids, 'suspended');
  expect(await ended(await accepted('resume', { label: 'life' }))).toMatchObject(whole);
  await allAre(ids, 'waiting');
  expect(await ended(await accepted('cancel', { label: 'life', status: 'waiting,success' }))).toMatchObject(whole);
  await allAre(ids, 'cancelled');
  // all of them fit, and their state does not allow it
  expect(await ended(await accepted('suspend', { label: 'life' }))).toMatchObject({
    status: 'failed',
    failed: { operation_not_allowed: 4 },
  });
  expect(await ended(await accepted('retry', { externalId: 'life-1' }))).toMatchObject({ matched: 1, done: 1 });
  await drover.waiting(ids[1] ?? '');
  expect(await ended(await accepted('delete', { label: 'life' }))).toMatchObject(whole);
  for (const id of ids) expect((await drover.request('GET', `/api/batches/${id}`)).status).toBe(404);
  expect(await statesOf([other ?? ''])).toEqual(['waiting']);
  expect((await drover.request('GET', `/api/batches/${foreign}`, { tenant: 'foreign' })).status).toBe(200);
  expect(await ended(await accepted('cancel', { label: 'nothing' }))).toMatchObject({ matched: 0, status: 'success' });
  const mine = await accepted('cancel', { label: 'nothing' });
  expect((await drover.request('GET', `/api/bulk-operations/${mine}`, { tenant: 'foreign' })).status).toBe(404);
});

test('what does not fit any more when its turn comes is skipped, and batches that are accepted meanwhile are not matched', async () => {
  const ids = await waiting('turn', 3);
  const held = drover.holdAt('bulk-slice');
  const id = await accepted('cancel', { label: 'turn', status: 'waiting' });
  await held.reached;
  await drover.request('POST', `/api/batches/${ids[0]}/cancel`);
  await drover.ended(ids[0] ?? '');
  const [late] = await waiting('turn', 1);
  held.open();
  expect(await ended(id)).toMatchObject({ matched: 3, done: 2, skipped: 1, failed: {} });
  expect(await statesOf([late ?? ''])).toEqual(['waiting']);
});

test('killed after it has acted and before it has noted that, it goes on, and counts each batch once', async () => {
  const ids = await waiting('killed', 25);
  await drover.stopWorker();
  const worker = await spawnWorker(drover, { checkpoint: 'bulk-acted' });
  const id = await accepted('cancel', { label: 'killed', status: 'waiting' });
  await worker.ended;
  expect(await read(id)).toMatchObject({ matched: 25, done: 0 });
  await drover.startWorker();
  expect(await ended(id)).toMatchObject({ matched: 25, done: 25, skipped: 0, failed: {} });
  await allAre(ids, 'cancelled');
}, 90_000);

test('one whose start was lost is started by recovery, one whose workflow was lost goes on, and one that was ended in Temporal is over', async () => {
  const { client, database } = drover.services;
  await drover.stopWorker();
  const { start } = client.workflow;
  client.workflow.start = (() =>
    Promise.reject(Object.assign(new Error('Failed to connect before the deadline')))) as never;
  const unstarted = await accepted('cancel', { label: 'none' });
  client.workflow.start = start;
  const ending = await accepted('cancel', { label: 'none' });
  await client.workflow.getHandle(bulkWorkflowId(ending)).terminate('by an operator');
  expect(await readBulkOperation(database, unstarted)).toMatchObject({ unstarted: true });
  await drover.startWorker();
  await recoverNow(drover);
  expect((await ended(unstarted)).status).toBe('success');
  expect((await ended(ending)).status).toBe('cancelled');
});

test('a batch that is accepted later by a process whose clock is behind is not matched, and a filter of which very few fit goes on step by step', async () => {
  const { database } = drover.services;
  const { schemaDefinitionId } = await drover.batch(await drover.upload('leaf', [{ externalId: 'b' }]));
  await drover.stopWorker();
  const finished = (at: number, label: string, createdBy: string) => {
    const _id = uuidv7({ msecs: at });
    return asFinished({ _id, createdAt: new Date(at), label, createdBy }, schemaDefinitionId ?? '');
  };
  const old = Date.now() - 3_600_000;
  // more than one step looks at, of which two fit: the first and the last one
  const many = Array.from({ length: 4_500 }, (_, n) => finished(old + n, 'steps', n % 4_499 === 0 ? 'ada' : 'bob'));
  await batchesIn(database).insertMany(many);
  const { body } = await bulk('delete', { label: 'steps', createdBy: 'ada' }, '?dryRun=true');
  expect(body.data.matched).toBe(2);
  const id = await accepted('delete', { label: 'steps', createdBy: 'ada' });
  const recent = await accepted('delete', { label: 'behind' });
  const behind = finished(Date.now() - 29_000, 'behind', 'ada');
  await batchesIn(database).insertOne(behind);
  await drover.startWorker();
  expect(await ended(id)).toMatchObject({ matched: 2, done: 2 });
  expect(await ended(recent)).toMatchObject({ matched: 0 });
  expect(await statesOf([behind._id])).toEqual(['success']);
});

test('bulk operations are listed newest first, page by page, to their own tenant', async () => {
  interface Listed {
    readonly results: BulkView[];
    readonly pagination: { readonly total: number; readonly cursor: string | null };
  }
  const list = async (tenant: string, query: string) =>
    (await drover.request<Listed>('GET', `/api/bulk-operations?${query}`, { tenant })).body.data;
  const ids: string[] = [];
  for (const verb of ['suspend', 'resume', 'cancel'])
    ids.push((await bulk(verb, { label: 'none' }, '', 'lister')).body.data.bulkOperationId);
  const first = await list('lister', 'limit=2');
  expect(first.results.map(({ bulkOperationId }) => bulkOperationId)).toEqual([ids[2], ids[1]]);
  expect([first.pagination.total, first.results[0]?.operation]).toEqual([3, 'cancel']);
  const next = await list('lister', `limit=2&cursor=${encodeURIComponent(first.pagination.cursor ?? '')}`);
  expect(next.results.map(({ bulkOperationId }) => bulkOperationId)).toEqual([ids[0]]);
  expect(next.pagination.cursor).toBeNull();
  expect((await list('stranger', 'limit=2')).results).toEqual([]);
});

test.each([
  [{}, 'filter: must have at least one filter'],
  [undefined, 'filter: must be an object'],
  ['failed', 'filter: must be an object'],
  [{ state: 'failed' }, 'filter: state: not a filter; filters are batchType, status'],
  [{ status: '' }, 'filter.status: must be one of'],
  [{ status: ['failed', 7] }, 'filter.status: must be one of'],
  [{ status: ['failed,waiting'] }, 'filter.status: must be one of'],
  [{ label: 7 }, 'filter.label: must be 1 to 100 characters'],
  [{ label: '' }, 'filter.label: must be 1 to 100 characters'],
  [{ createdBefore: 1_700_000_000 }, 'filter.createdBefore: must be a date'],
  [{ externalId: ['a'] }, 'filter.externalId: must be 1 to 256'],
  [{ schema: ['x'.repeat(129)] }, 'filter.schema: must be one or several names'],
  [{ schema: 'x'.repeat(1_000_000) }, 'filter.schema: must be one or several names'],
  [{ status: Array(51).fill('failed') }, 'filter.status: must be at most 50 values'],
  [{ status: 'failed,'.repeat(100_000) }, 'filter.status: must be at most 50 values'],
])('the filter %# is a 400 that names it', async (filter, fault) => {
  for (const verb of ['cancel', 'delete']) {
    const { status, body } = await bulk(verb, filter);
    expect([filter, status]).toEqual([filter, 400]);
    expect(body.errors?.some((error) => error.startsWith(fault))).toBe(true);
  }
});

const MANY = Number(process.env.BULK_BATCHES ?? '2500');
/** A hundred thousand take some minutes. */
const MANY_TIMEOUT_MS = 100_000 + MANY * 20;

test(
  'very many batches are worked on in bounded memory, page by page',
  async () => {
    const { database } = drover.services;
    const { schemaDefinitionId } = await drover.batch(await drover.upload('leaf', [{ externalId: 'one' }]));
    const now = Date.now();
    const stored = Array.from({ length: MANY }, () =>
      asFinished({ _id: uuidv7({ msecs: now }), createdAt: new Date(now), label: 'many' }, schemaDefinitionId ?? ''),
    );
    await batchesIn(database).insertMany(stored);
    const before = process.memoryUsage().heapUsed;
    const id = await accepted('delete', { label: 'many' });
    const begun = performance.now();
    await expect
      .poll(async () => (await read(id)).completedAt, { timeout: MANY_TIMEOUT_MS - 50_000, interval: 500 })
      .toBeDefined();
    const seconds = Math.round((performance.now() - begun) / 1000);
    expect(await read(id)).toMatchObject({ matched: MANY, done: MANY });
    expect((await readBulkOperation(database, id))?.pages).toBeGreaterThan(1);
    console.log(
      `${MANY} batches in ${seconds} s; the heap grew by ${Math.round((process.memoryUsage().heapUsed - before) / 2 ** 20)} MB`,
    );
  },
  MANY_TIMEOUT_MS,
);
