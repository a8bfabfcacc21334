import type { WritePreview } from '@drover/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beforeImagesIn } from '../../../store/items/before-images.ts';
import { Drover } from '../../harness/drover.ts';
import { Tenant } from '../../harness/tenant.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define(
    'node',
    {
      name: { type: 'string' },
      n: { type: 'integer' },
      to: { $ref: 'reach:schemas/node' },
      all: { type: 'array', items: { $ref: 'reach:schemas/node' } },
    },
    { required: ['name'] },
  );
  await drover.define('side', { of: { $ref: 'reach:schemas/node' } });
});
afterAll(() => drover.stop());

const UNDOABLE = { undoable: true } as const;
const node = (externalId: string, more: object = {}) => ({ externalId, name: externalId, ...more });

type Answer = { batchId: string; [field: string]: unknown };
const post = (tenant: Tenant, path: string) => drover.request<Answer>('POST', path, { tenant: tenant.tenant });

/** Starts an undo, and waits for its end. @returns the outcome of each item, by external id. */
async function undone(tenant: Tenant, batchId: string) {
  const said = (await post(tenant, `/api/batches/${batchId}/undo?dryRun=true`)).body.data as unknown as WritePreview;
  const { status, body } = await post(tenant, `/api/batches/${batchId}/undo`);
  expect([status, body.message]).toEqual([202, 'Undo accepted']);
  const id = (body.data as Answer).batchId;
  const batch = await tenant.ended(id);
  const items = await tenant.items(id);
  const outcomes = items.map(({ externalId, action, errors, status: of }) => [
    externalId,
    action ?? errors?.map(({ code }) => code).join(' ') ?? of,
  ]);
  // the dry run before it has said the same of each item
  expect(said.counts).toEqual(batch.counts);
  expect(said.items).toEqual(items.slice(0, 1000).map(({ attempts: _, ...item }) => item));
  return { id, batch, items, outcomes };
}

async function deleted(tenant: Tenant, schema: string, body: object, query = '?undoable=true'): Promise<string> {
  const path = `/api/resources/${schema}/batch/delete${query}`;
  const answer = await drover.request<Answer>('POST', path, { tenant: tenant.tenant, body });
  expect(answer.status).toBe(202);
  const { batchId } = answer.body.data as Answer;
  await tenant.ended(batchId);
  return batchId;
}

/** A resource but for its version and dates. */
async function contents(tenant: Tenant, schema: string, id: string) {
  const found = await tenant.stored(schema, id);
  if (found === null) return null;
  const { versionNumber: _, createdAt: __, updatedAt: ___, lastWrite: ____, ...rest } = found;
  return rest;
}

describe('undo of an upload', () => {
  test('takes back what it has created and updated, the last item first; several items for one resource are one', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('node', [node('old', { n: 1 }), node('same')]);
    const before = [await contents(tenant, 'node', 'old'), await contents(tenant, 'node', 'same')];
    const { batch } = await tenant.uploaded(
      'node',
      [
        node('old', { n: 2 }),
        node('a', { to: 'b' }),
        node('b', { to: 'a' }),
        node('same'),
        node('old', { to: 'a' }),
        node('a', { n: 5 }),
        { externalId: 'bad' },
      ],
      UNDOABLE,
    );
    expect(batch.options).toMatchObject({ undoable: true });
    const undo = await undone(tenant, batch.batchId);
    expect(undo.outcomes).toEqual(['a', 'old', 'b', 'a', 'old'].map((id) => [id, 'reverted']));
    expect(undo.batch).toMatchObject({
      batchType: 'BATCH_UNDO',
      operation: 'undo',
      status: 'success',
      counts: { succeeded: 5 },
      actions: { reverted: 3, created: 0, updated: 0, deleted: 0 },
      options: { undoOf: batch.batchId },
    });
    expect([await contents(tenant, 'node', 'old'), await contents(tenant, 'node', 'same')]).toEqual(before);
    expect(await tenant.stored('node', 'old')).toMatchObject({ versionNumber: 4, lastWrite: { batchId: undo.id } });
    expect([await contents(tenant, 'node', 'a'), await contents(tenant, 'node', 'b')]).toEqual([null, null]);
    expect((await drover.batch(batch.batchId, tenant)).undoneBy).toBe(undo.id);
  });

  test('leaves what others have written since, and what others refer to; they say why', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('node', [node('u1', { n: 1 }), node('u2', { n: 1 })]);
    const { batch } = await tenant.uploaded(
      'node',
      [node('u1', { n: 2 }), node('u2', { n: 2 }), node('c1'), node('c2'), node('c3'), node('c4', { to: 'c3' })],
      UNDOABLE,
    );
    await tenant.uploaded('node', [node('u1', { n: 3 }), node('other', { to: 'c2' }), node('c1', { n: 9 })]);
    const undo = await undone(tenant, batch.batchId);
    expect(Object.fromEntries(undo.outcomes)).toEqual({
      u1: 'changed_since',
      u2: 'reverted',
      c1: 'changed_since',
      c2: 'referenced',
      c3: 'reverted',
      c4: 'reverted',
    });
    expect(undo.batch.counts).toMatchObject({ succeeded: 3, skipped: 3 });
    expect(await tenant.stored('node', 'u1')).toMatchObject({ data: { n: 3 }, versionNumber: 3 });
    expect(await tenant.stored('node', 'u2')).toMatchObject({ data: { n: 1 }, versionNumber: 3 });
    expect(await tenant.stored('node', 'c1')).toMatchObject({ versionNumber: 2 });
    expect(await tenant.stored('node', 'c2')).toMatchObject({ versionNumber: 1 });
    expect(await tenant.stored('node', 'c3')).toBeNull();
  });

  test('of a large batch: activities, slices, and steps of a delete; patches are taken back too', async () => {
    const tenant = new Tenant(drover);
    const before = Array.from({ length: 300 }, (_, n) => node(`o${n}`, { n: 0 }));
    await tenant.uploaded('node', before);
    const { batch: patch } = await tenant.patched(
      'node',
      before.map(({ externalId }, n) => ({ externalId, n })),
      UNDOABLE,
    );
    const { batch: upload } = await tenant.uploaded(
      'node',
      Array.from({ length: 500 }, (_, n) => node(`c${n}`, n === 0 ? {} : { to: `c${n - 1}`, all: ['o1'] })),
      UNDOABLE,
    );
    const first = await undone(tenant, upload.batchId);
    expect(first.batch).toMatchObject({ status: 'success', actions: { reverted: 500 } });
    const second = await undone(tenant, patch.batchId);
    // the patch of o0 changed nothing
    expect(second.batch).toMatchObject({
      status: 'success',
      progress: { totalRecords: 299 },
      actions: { reverted: 299 },
    });
    expect((await drover.client(tenant).resources.list('node').toArray()).map(({ data }) => data.n)).toEqual(
      before.map(() => 0),
    );
  });
});

describe('undo of a delete', () => {
  test('brings back a cascade whole: across schema definitions, its cycles included, with the same ids', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('node', [
      node('root'),
      node('x', { to: 'y', all: ['root'] }),
      node('y', { to: 'x' }),
      node('self', { to: 'self', all: ['y'] }),
    ]);
    await tenant.uploaded('side', [{ externalId: 's', of: 'x' }]);
    const ids = [
      ['node', 'root'],
      ['node', 'x'],
      ['node', 'y'],
      ['node', 'self'],
      ['side', 's'],
    ] as const;
    const read = () => Promise.all(ids.map(([schema, id]) => contents(tenant, schema, id)));
    const before = await read();
    const batchId = await deleted(tenant, 'node', { externalIds: ['root', 'none', 'root'], cascade: true });
    expect(await read()).toEqual(ids.map(() => null));
    const undo = await undone(tenant, batchId);
    expect(undo.outcomes.slice(0, 1)).toEqual([['root', 'reverted']]);
    expect(undo.batch).toMatchObject({ status: 'success', counts: { succeeded: 5 }, actions: { reverted: 5 } });
    expect(await read()).toEqual(before);
  });

  test('does not replace what was created again; what then misses a reference fails as in an upload', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('node', [node('gone'), node('a'), node('b', { to: 'gone' }), node('c', { to: 'b' })]);
    const batchId = await deleted(tenant, 'node', { externalIds: ['a', 'b', 'c'] });
    await tenant.uploaded('node', [node('a', { n: 7 })]);
    await deleted(tenant, 'node', { externalIds: ['gone'] }, '');
    const undo = await undone(tenant, batchId);
    expect(Object.fromEntries(undo.outcomes)).toEqual({
      a: 'changed_since',
      b: 'missing_dependency',
      c: 'missing_dependency',
    });
    expect(undo.batch.status).toBe('partial_success');
    expect(await tenant.stored('node', 'a')).toMatchObject({ data: { n: 7 }, versionNumber: 1 });
    // what was missing is there again: a retry of the undo goes on
    await tenant.uploaded('node', [node('gone')]);
    expect((await post(tenant, `/api/batches/${undo.id}/retry`)).status).toBe(202);
    expect((await tenant.ended(undo.id)).counts).toMatchObject({ succeeded: 2, skipped: 1 });
    expect(await tenant.stored('node', 'c')).toMatchObject({ data: { to: 'b' } });
  });

  test('of resources that all refer to one that is still there', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('node', [node('there')]);
    await tenant.uploaded('node', [node('q', { to: 'there' }), node('r', { to: 'there' })]);
    const undo = await undone(tenant, await deleted(tenant, 'node', { externalIds: ['q', 'r'] }));
    expect(undo.batch).toMatchObject({ status: 'success', actions: { reverted: 2 } });
    expect(await tenant.stored('node', 'r')).toMatchObject({ data: { to: 'there' } });
  });

  test('of thousands: a chain of references longer than any step comes back in order', async () => {
    const tenant = new Tenant(drover);
    for (let at = 0; at < 2; at++)
      await tenant.uploaded(
        'node',
        Array.from({ length: 600 }, (_, n) =>
          node(`n${600 * at + n}`, at + n === 0 ? {} : { to: `n${600 * at + n - 1}` }),
        ),
      );
    const batchId = await deleted(tenant, 'node', { deleteAll: true });
    expect((await drover.batch(batchId, tenant)).actions.deleted).toBe(1200);
    const undo = await undone(tenant, batchId);
    expect(undo.batch).toMatchObject({ status: 'success', actions: { reverted: 1200 } });
    expect(await tenant.stored('node', 'n1199')).toMatchObject({ data: { to: 'n1198' } });
  });
});

test('a batch is undone once; an undo, a running batch and one that was not undoable are a 409, as is a retry of an undone one', async () => {
  const tenant = new Tenant(drover);
  const refused = async (path: string, why: RegExp) => {
    const { status, body } = await post(tenant, path);
    expect([status, body.message]).toEqual([409, expect.stringMatching(why)]);
  };
  const { batch: plain } = await tenant.uploaded('node', [node('p')]);
  await refused(`/api/batches/${plain.batchId}/undo`, /not kept/);
  expect(await beforeImagesIn(drover.services.database).countDocuments({ batchId: plain.batchId })).toBe(0);
  const waiting = await tenant.upload('node', [node('w', { to: 'later' })], {
    ...UNDOABLE,
    dependencyWaitTimeout: 600,
  });
  await tenant.waiting(waiting);
  await refused(`/api/batches/${waiting}/undo`, /still running/);
  const { batch } = await tenant.uploaded('node', [node('p', { n: 1 }), { externalId: 'faulty' }], UNDOABLE);
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => post(tenant, `/api/batches/${batch.batchId}/undo`)),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409]);
  const { undoneBy = '' } = await drover.batch(batch.batchId, tenant);
  await tenant.ended(undoneBy);
  await refused(`/api/batches/${batch.batchId}/undo`, new RegExp(undoneBy));
  await refused(`/api/batches/${undoneBy}/undo`, /an undo cannot be undone/);
  await refused(`/api/batches/${batch.batchId}/retry`, /undone/);
  const { status } = await drover.request('POST', `/api/batches/${batch.batchId}/undo`, { tenant: 'somebody else' });
  expect(status).toBe(404);
  await drover.client(tenant).batches.delete(batch.batchId);
  expect(await beforeImagesIn(drover.services.database).countDocuments({ batchId: batch.batchId })).toBe(0);
});

test('batches that have changed one resource one after the other are undone one after the other, the last one first', async () => {
  const tenant = new Tenant(drover);
  const { batch: created } = await tenant.uploaded('node', [node('s', { n: 1 })], UNDOABLE);
  const { batch: updated } = await tenant.uploaded('node', [node('s', { n: 2 })], UNDOABLE);
  const removal = await deleted(tenant, 'node', { externalIds: ['s'] });
  for (const [id, n] of [
    [removal, 2],
    [updated.batchId, 1],
  ] as const) {
    expect((await undone(tenant, id)).outcomes).toEqual([['s', 'reverted']]);
    expect(await tenant.stored('node', 's')).toMatchObject({ data: { n } });
  }
  // an undoable batch that is undone itself leaves it so; another one does not
  const { batch: again } = await tenant.uploaded('node', [node('s', { n: 3 })], UNDOABLE);
  expect((await undone(tenant, again.batchId)).outcomes).toEqual([['s', 'reverted']]);
  const { batch: first } = await tenant.uploaded('node', [node('t')], UNDOABLE);
  await tenant.uploaded('node', [node('t', { n: 1 })]);
  expect((await undone(tenant, first.batchId)).outcomes).toEqual([['t', 'changed_since']]);
  expect((await undone(tenant, created.batchId)).outcomes).toEqual([['s', 'reverted']]);
  expect(await tenant.stored('node', 's')).toBeNull();
});

test('a retry of an undo tries again what it has skipped: what stood in the way may be gone', async () => {
  const tenant = new Tenant(drover);
  const { batch: target } = await tenant.uploaded('node', [node('target'), node('free')], UNDOABLE);
  const { batch: other } = await tenant.uploaded('node', [node('referrer', { to: 'target' })], UNDOABLE);
  const undo = await undone(tenant, target.batchId);
  expect(Object.fromEntries(undo.outcomes)).toEqual({ free: 'reverted', target: 'referenced' });
  expect((await undone(tenant, other.batchId)).outcomes).toEqual([['referrer', 'reverted']]);
  expect((await post(tenant, `/api/batches/${undo.id}/retry`)).status).toBe(202);
  expect((await tenant.ended(undo.id)).counts).toMatchObject({ succeeded: 2, skipped: 0 });
  expect(await tenant.stored('node', 'target')).toBeNull();
  expect((await post(tenant, `/api/batches/${undo.id}/retry`)).status).toBe(409);
});

test('an item that waited is undone to the state that it has found', async () => {
  const tenant = new Tenant(drover);
  await tenant.uploaded('node', [node('w', { n: 1 })]);
  const id = await tenant.upload('node', [node('w', { to: 'late' })], { ...UNDOABLE, dependencyWaitTimeout: 600 });
  await tenant.waiting(id);
  await tenant.uploaded('node', [node('w', { n: 2 }), node('late')]);
  await tenant.ended(id);
  expect((await undone(tenant, id)).outcomes).toEqual([['w', 'reverted']]);
  expect((await tenant.stored('node', 'w'))?.data).toEqual({ externalId: 'w', name: 'w', n: 2 });
});
