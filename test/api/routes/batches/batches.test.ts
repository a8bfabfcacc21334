import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ItemView } from '../../../../services/batches/list-items.ts';
import type { BatchView } from '../../../../services/batches/view-batch.ts';
import { Conformance } from '../../../harness/conformance.ts';
import { type Answer, Drover } from '../../../harness/drover.ts';
import { Tenant } from '../../../harness/tenant.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await Conformance.watch(drover);
  await drover.define(
    'country',
    { name: { type: 'string' }, near: { $ref: 'reach:schemas/country' } },
    { required: ['name'], pluralName: 'countries' },
  );
  await drover.define('note', { text: { type: 'string' } });
});
afterAll(() => drover.stop());

interface Page<T> {
  readonly results: T[];
  readonly pagination: { hasNextPage: boolean; total: number; cursor: string | null };
}

const list = (tenant: Tenant, query = ''): Promise<Answer<Page<BatchView>>> =>
  drover.request('GET', `/api/batches${query}`, tenant);

async function listed(tenant: Tenant, query = ''): Promise<string[]> {
  const { status, body } = await list(tenant, query);
  expect([query, status]).toEqual([query, 200]);
  expect(body.data.pagination).toEqual({ hasNextPage: false, total: body.data.results.length, cursor: null });
  return body.data.results.map((batch) => batch.batchId);
}

/** Every page of a list, beginning at a path; `between` is called after each page. */
async function pages<T>(tenant: Tenant, path: string, between?: (page: Page<T>) => Promise<void>): Promise<Page<T>[]> {
  const all: Page<T>[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body }: Answer<Page<T>> = await drover.request(
      'GET',
      `${path}&cursor=${encodeURIComponent(cursor)}`,
      tenant,
    );
    expect(status).toBe(200);
    all.push(body.data);
    cursor = body.data.pagination.cursor;
    expect(body.data.pagination.hasNextPage).toBe(cursor !== null);
    await between?.(body.data);
  }
  return all;
}

/** Batches of one item each, accepted one after the other. */
async function several(tenant: Tenant, prefix: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push(await tenant.upload('note', [{ externalId: `${prefix}${n}` }]));
  return ids;
}

describe('GET /api/batches', () => {
  test("lists a tenant's batches, newest first, 20 at a time by default", async () => {
    const tenant = new Tenant(drover);
    expect(await listed(tenant)).toEqual([]);
    const ids = await several(tenant, 'n', 23);
    const { body } = await list(tenant);
    expect(body.data.results.map((batch) => batch.batchId)).toEqual(ids.toReversed().slice(0, 20));
    expect(body.data.pagination).toEqual({ hasNextPage: true, total: 23, cursor: expect.any(String) });
    const dates = body.data.results.map((batch) => batch.createdAt);
    expect(dates).toEqual(dates.toSorted().reverse());
    expect(await listed(tenant, '?limit=100&sortBy=-createdAt')).toEqual(ids.toReversed());
    expect(await listed(tenant, '?limit=100&sortBy=createdAt')).toEqual(ids);
    expect((await list(tenant, '?limit=&cursor=&batchType=&status=&schema=&sortBy=')).body.data).toMatchObject({
      pagination: { total: 23 },
    });
    expect((await list(tenant, '?limit=1')).body.data.results).toHaveLength(1);
  });

  test('is stable while batches arrive: newest first shows the batches that were there, oldest first ends with the new ones', async () => {
    const tenant = new Tenant(drover);
    const ids = await several(tenant, 'old', 7);
    let late = 0;
    const arrive = async ({ pagination }: Page<BatchView>): Promise<void> => {
      if (pagination.cursor !== null) ids.push(...(await several(tenant, `late${late++}-`, 2)));
    };
    const downward = await pages<BatchView>(tenant, '/api/batches?limit=3', arrive);
    expect(downward.flatMap((page) => page.results.map((batch) => batch.batchId))).toEqual(
      ids.slice(0, 7).toReversed(),
    );
    expect(downward.map((page) => page.pagination.total)).toEqual([7, 9, 11]);
    let isFirst = true;
    const upward = await pages<BatchView>(tenant, '/api/batches?limit=8&sortBy=createdAt', async (page) => {
      if (isFirst) await arrive(page);
      isFirst = false;
    });
    expect(upward.flatMap((page) => page.results.map((batch) => batch.batchId))).toEqual(ids);
  });

  test('is filtered by type, status and schema definition, and by several at once', async () => {
    const tenant = new Tenant(drover);
    const good = await tenant.upload('country', [{ externalId: 'DE', name: 'Germany' }]);
    await tenant.ended(good);
    const partial = await tenant.upload('country', [{ externalId: 'FR', name: 'France' }, { externalId: 'XX' }]);
    const failed = await tenant.upload('country', [{ externalId: 'XX' }]);
    const waiting = await tenant.upload('country', [{ externalId: 'PL', name: 'Poland', near: 'YY' }], {
      dependencyWaitTimeout: 600,
    });
    const cancelled = await tenant.upload('country', [{ externalId: 'CZ', name: 'Czechia', near: 'YY' }], {
      dependencyWaitTimeout: 600,
    });
    const patch = await drover.patch('country', [{ externalId: 'DE', name: 'Deutschland' }], {}, tenant);
    const note = await tenant.upload('note', [{ externalId: 'n' }]);
    await Promise.all([partial, failed, patch, note].map((id) => tenant.ended(id)));
    const deletion = await drover.delete('note', { externalIds: ['n'] }, tenant);
    await Promise.all([tenant.ended(deletion), tenant.waiting(waiting), tenant.waiting(cancelled)]);
    await drover.request('POST', `/api/batches/${cancelled}/cancel`, tenant);
    await tenant.ended(cancelled);
    await expect.poll(() => listed(tenant, '?status=waiting')).toEqual([waiting]);

    const [notes, countries] = [
      [deletion, note],
      [patch, cancelled, waiting, failed, partial, good],
    ];
    expect(await listed(tenant)).toEqual([...notes, ...countries]);
    expect(await listed(tenant, '?batchType=PARTNER_RESOURCE_JSON_INGEST')).toEqual([
      note,
      cancelled,
      waiting,
      failed,
      partial,
      good,
    ]);
    expect(await listed(tenant, '?batchType=PARTNER_RESOURCE_BATCH_PATCH')).toEqual([patch]);
    expect(await listed(tenant, '?batchType=PARTNER_RESOURCE_BATCH_DELETE')).toEqual([deletion]);
    expect(await listed(tenant, '?batchType=PROCESS_INSTANCE_DELETE')).toEqual([]);
    expect(await listed(tenant, '?status=success')).toEqual([deletion, note, patch, good]);
    expect(await listed(tenant, '?status=partial_success')).toEqual([partial]);
    expect(await listed(tenant, '?status=failed')).toEqual([failed]);
    expect(await listed(tenant, '?status=cancelled')).toEqual([cancelled]);
    expect(await listed(tenant, '?status=queued')).toEqual([]);
    const [{ schemaDefinitionId } = { schemaDefinitionId: null }] = (await list(tenant, '?schema=country')).body.data
      .results;
    for (const name of ['country', 'Country', 'COUNTRIES', schemaDefinitionId])
      expect(await listed(tenant, `?schema=${name}`)).toEqual(countries);
    expect(await listed(tenant, '?schema=nothing')).toEqual([]);
    expect(
      await listed(tenant, '?schema=country&status=success&batchType=PARTNER_RESOURCE_JSON_INGEST&sortBy=createdAt'),
    ).toEqual([good]);

    // a listed batch is the same as the batch itself
    for (const id of [good, partial, failed, cancelled, patch, deletion]) {
      const { body } = await drover.request<BatchView>('GET', `/api/batches/${id}`, tenant);
      expect((await list(tenant)).body.data.results.find((batch) => batch.batchId === id)).toEqual(body.data);
    }
    expect((await list(tenant, '?status=waiting')).body.data.results[0]).toMatchObject({
      status: 'waiting',
      counts: { pending: 1, queued: 0 },
      pendingUntil: expect.any(String),
      source: 'store',
    });
    await drover.request('POST', `/api/batches/${waiting}/cancel`, tenant);
  });

  test('finds the batches of a schema definition that has been deleted by its id', async () => {
    const tenant = new Tenant(drover);
    const id = await drover.define('passing', {});
    const batch = await drover.delete('passing', { externalIds: ['x'] }, tenant);
    await tenant.ended(batch);
    expect((await drover.request('DELETE', '/partner/schema-definitions/passing')).status).toBe(200);
    expect(await listed(tenant, `?schema=${id}`)).toEqual([batch]);
    expect(await listed(tenant, '?schema=passing')).toEqual([]);
  });

  test("shows no other tenant's batches, nor counts them; a deleted one is in neither list nor total", async () => {
    const [one, other] = [new Tenant(drover), new Tenant(drover)];
    const mine = await several(one, 'x', 2);
    const theirs = await several(other, 'x', 1);
    expect(await listed(one)).toEqual(mine.toReversed());
    expect(await listed(other)).toEqual(theirs);
    await one.ended(mine[0] ?? '');
    expect((await drover.request('DELETE', `/api/batches/${mine[0]}`, one)).status).toBe(200);
    expect(await listed(one)).toEqual([mine[1]]);
  });

  test('accepts only cursors of the same list', async () => {
    const [tenant, other] = [new Tenant(drover), new Tenant(drover)];
    await several(tenant, 'x', 2);
    const batch = await tenant.upload('note', [{ externalId: 'a' }, { externalId: 'b' }]);
    const cursorOf = async (path: string): Promise<string> =>
      (await drover.request<Page<unknown>>('GET', path, tenant)).body.data.pagination.cursor ?? '';
    const cursor = await cursorOf('/api/batches?limit=1');
    expect((await list(tenant, `?limit=2&cursor=${cursor}`)).status).toBe(200);
    const [after, digest] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string, string];
    const forged = (...parts: unknown[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url');
    const wrong = [
      'x',
      `${cursor}x`.slice(1),
      forged(`${after}x`, digest),
      forged(after),
      forged({ $gt: '' }, digest),
      forged(null, digest),
      await cursorOf('/partner/schema-definitions?limit=1'),
      await cursorOf('/api/batches?limit=1&sortBy=createdAt'),
      await cursorOf('/api/batches?limit=1&schema=note'),
      await cursorOf(`/api/batches/${batch}/items?limit=1`),
    ];
    for (const bad of wrong) {
      const { status, body } = await list(tenant, `?cursor=${bad}`);
      expect([bad, status, body.errors]).toEqual([bad, 400, [expect.stringMatching(/^cursor: /)]]);
    }
    expect((await list(other, `?cursor=${cursor}`)).status).toBe(400);
    // the same list under another name of its filter
    const noted = await cursorOf('/api/batches?limit=1&schema=note');
    expect((await list(tenant, `?schema=NOTE&cursor=${noted}`)).status).toBe(200);
  });
});

describe('GET /api/batches/{batchId}/items', () => {
  const COUNT = 120;
  let tenant: Tenant;
  let id: string;
  beforeAll(async () => {
    tenant = new Tenant(drover);
    const resources = Array.from({ length: COUNT }, (_, n) => ({
      externalId: `i${n}`,
      text: n % 3 === 0 ? n : '=1+1',
    }));
    id = await tenant.upload('note', [...resources, { text: 'nobody' }]);
    await tenant.ended(id);
  });
  const indexesOf = (all: readonly Page<ItemView>[]): number[] =>
    all.flatMap((page) => page.results.map((item) => item.index));

  test('come in index order, 100 at a time by default, and end with a null cursor', async () => {
    const all = await pages<ItemView>(tenant, `/api/batches/${id}/items?`);
    expect(all.map((page) => page.results.length)).toEqual([100, 21]);
    expect(indexesOf(all)).toEqual(Array.from({ length: COUNT + 1 }, (_, n) => n));
    expect(all.map((page) => page.pagination.total)).toEqual([COUNT + 1, COUNT + 1]);
    const small = await pages<ItemView>(tenant, `/api/batches/${id}/items?limit=50`);
    expect(small.flatMap((page) => page.results)).toEqual(all.flatMap((page) => page.results));
    expect(all[0]?.results.slice(0, 2)).toEqual([
      {
        index: 0,
        externalId: 'i0',
        status: 'failed',
        errors: [{ code: 'validation', message: '"text" must be string', field: 'text' }],
        attempts: 1,
      },
      { index: 1, externalId: 'i1', status: 'succeeded', action: 'created', attempts: 1 },
    ]);
    expect(all[1]?.results.at(-1)).toMatchObject({
      index: COUNT,
      externalId: null,
      status: 'failed',
      errors: [{ code: 'missing_external_id' }],
    });
  });

  test('can be those of one status, with their number', async () => {
    const failed = await pages<ItemView>(tenant, `/api/batches/${id}/items?status=failed&limit=30`);
    expect(indexesOf(failed)).toEqual([...Array.from({ length: 40 }, (_, n) => 3 * n), COUNT]);
    expect(failed.map((page) => page.pagination.total)).toEqual([41, 41]);
    expect(await pages<ItemView>(tenant, `/api/batches/${id}/items?status=pending`)).toEqual([
      { results: [], pagination: { hasNextPage: false, total: 0, cursor: null } },
    ]);
  });

  test('come with the JSON that was sent, on pages that end early where items are large', async () => {
    const large = 'x'.repeat(2 * 1024 * 1024);
    const body =
      `{"resources":[{"externalId":"exact","2":-0,"1":9007199254740993024},` +
      `{"externalId":"large-1","text":"${large}"},{"externalId":"large-2","text":"${large}"},{"text":"\u2028"}]}`;
    const posted = await drover.request<{ batchId: string }>('POST', '/api/resources/note/batch', { ...tenant, body });
    const sent = posted.body.data.batchId;
    await tenant.ended(sent);
    const path = `/api/batches/${sent}/items?include=resource`;
    const all = await pages<ItemView & { resource?: { externalId?: string } }>(tenant, `${path}&`);
    expect(all.map(({ results }) => results.map(({ index }) => index))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(all[0]?.results[1]).toMatchObject({ status: 'succeeded', resource: { externalId: 'large-1', text: large } });
    const response = await drover.app.request(path, {
      headers: { accept: 'application/x-ndjson', 'reach-tenant-id': tenant.tenant },
    });
    const lines = (await response.text()).trimEnd().split('\n');
    expect(lines[0]).toMatch(/"resource":\{"externalId":"exact","2":-0,"1":9007199254740993024\}\}$/);
    expect(JSON.parse(lines[3] ?? '')).toMatchObject({ index: 3, resource: { text: '\u2028' } });
    expect((await drover.request('GET', `${path}&limit=1`, tenant)).body.data).toMatchObject({
      results: [{ index: 0, resource: { externalId: 'exact' } }],
    });
    const csv = { headers: { accept: 'text/csv' }, tenant: tenant.tenant };
    expect((await drover.request('GET', path, csv)).body.errors?.[0]).toContain('include: not for text/csv');
    const deleted = await drover.request<{ batchId: string }>('DELETE', '/api/resources/note/batch', {
      ...tenant,
      body: { externalIds: ['large-1', 'large-2'] },
    });
    const ids = await drover.request('GET', `/api/batches/${deleted.body.data.batchId}/items?include=resource`, tenant);
    expect(ids.body.data).toMatchObject({ results: [{ externalId: 'large-1' }, { externalId: 'large-2' }] });
  });

  test('are counted while the batch runs too', async () => {
    const resources = [
      { externalId: 'A', name: 'A', near: 'nobody' },
      { externalId: 'B', name: 'B' },
      { externalId: 'C' },
    ];
    const waiting = await tenant.upload('country', resources, { dependencyWaitTimeout: 600 });
    await tenant.waiting(waiting);
    const totalOf = async (status: string): Promise<number> => {
      const { body } = await drover.request<Page<ItemView>>(
        'GET',
        `/api/batches/${waiting}/items?status=${status}`,
        tenant,
      );
      expect(body.data.results).toHaveLength(body.data.pagination.total);
      return body.data.pagination.total;
    };
    expect(
      await Promise.all(['queued', 'pending', 'succeeded', 'failed', 'expired', 'skipped', 'cancelled'].map(totalOf)),
    ).toEqual([0, 1, 1, 1, 0, 0, 0]);
    await drover.request('POST', `/api/batches/${waiting}/cancel`, tenant);
  });

  test('refuse a cursor of another batch, status or tenant, and a limit out of range', async () => {
    const other = await tenant.upload('note', [{ externalId: 'a' }, { externalId: 'b' }]);
    const { body } = await drover.request<Page<ItemView>>('GET', `/api/batches/${id}/items?limit=1`, tenant);
    const { cursor } = body.data.pagination;
    for (const path of [
      `/api/batches/${other}/items?cursor=${cursor}`,
      `/api/batches/${id}/items?status=failed&cursor=${cursor}`,
      `/api/batches/${id}/items?cursor=nonsense`,
      `/api/batches/${id}/items?limit=0`,
      `/api/batches/${id}/items?limit=1001`,
      `/api/batches/${id}/items?status=lost`,
    ]) {
      expect([path, (await drover.request('GET', path, tenant)).status]).toEqual([path, 400]);
    }
    expect((await drover.request('GET', `/api/batches/${id}/items`, new Tenant(drover))).status).toBe(404);
  });

  test('are all streamed as NDJSON or CSV, by the preferred type of the Accept header', async () => {
    const all = (await pages<ItemView>(tenant, `/api/batches/${id}/items?`)).flatMap((page) => page.results);
    const streamed = async (accept: string, query = ''): Promise<{ type: string | null; text: string }> => {
      const response = await drover.app.request(`/api/batches/${id}/items${query}`, {
        headers: { accept, 'reach-tenant-id': tenant.tenant },
      });
      return { type: response.headers.get('content-type'), text: await response.text() };
    };
    const ndjson = await streamed('application/x-ndjson');
    expect(ndjson.type).toBe('application/x-ndjson');
    expect(
      ndjson.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(all);
    const csv = await streamed('text/csv;q=0.9, application/json;q=0.1');
    expect(csv.type).toMatch(/^text\/csv/);
    const rows = csv.text.trimEnd().split('\n');
    expect(rows[0]).toBe(
      '"index","externalId","status","action","attempts","errorCodes","errors","missingDependencies","missingTotal"',
    );
    expect(rows).toHaveLength(COUNT + 2);
    expect(rows[1]).toBe('0,"i0","failed",,1,"validation","""text"" must be string",,');
    expect((await streamed('text/csv', '?status=failed')).text.trimEnd().split('\n')).toHaveLength(42);
    for (const accept of ['*/*', 'application/json', 'application/json, text/csv;q=0.5', 'text/html']) {
      expect([accept, (await streamed(accept)).type]).toEqual([accept, 'application/json']);
    }
  });
});
