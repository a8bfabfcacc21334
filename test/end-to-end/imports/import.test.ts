import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { frame, PACKED, raw, rle } from '../../services/imports/zstd-content.ts';
import { ended, ndjson, results, send, started, view } from './imports.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('country', { name: { type: 'string' } });
  await drover.define('city', {
    name: { type: 'string' },
    size: { type: 'integer' },
    country: { $ref: 'reach:schemas/country' },
    twin: { $ref: 'reach:schemas/city' },
  });
});
afterAll(() => drover.stop());

const cities = (n: number, prefix: string, more: object = {}) =>
  Array.from({ length: n }, (_, at) => ({ externalId: `${prefix}-${at}`, name: `City ${at}`, ...more }));

test('a file of 2500 rows becomes three batches, whose outcomes add up', async () => {
  const importId = await started(drover, { schema: 'city', label: 'cities' }, ndjson(cities(2500, 'many')));
  const done = await ended(drover, importId);
  expect(done).toMatchObject({
    status: 'success',
    source: 'store',
    label: 'cities',
    sealed: true,
    rowsRead: 2500,
    counts: { queued: 0, succeeded: 2500 },
    actions: { created: 2500 },
    progress: { totalRecords: 2500, successRate: 1 },
    batches: { total: 3, running: 0 },
    options: { dependencyWaitTimeout: 'import', onconflict: 'upsert' },
  });
  const batches = await drover.request<{ results: { importId: string; progress: { totalRecords: number } }[] }>(
    'GET',
    `/api/imports/${importId}/batches`,
  );
  expect(batches.body.data.results.map((batch) => [batch.importId, batch.progress.totalRecords])).toEqual([
    [importId, 1000],
    [importId, 1000],
    [importId, 500],
  ]);
  const listed = await drover.request<{ results: { importId: string }[] }>('GET', '/api/imports?label=cities');
  expect(listed.body.data.results.map((one) => one.importId)).toEqual([importId]);
});

test('rows come in any order: children come in batches before that of their parent, and so do the members of a cycle', async () => {
  const rows = [
    ...cities(1500, 'child', { twin: 'parent' }),
    { externalId: 'ring-1', name: 'one', twin: 'ring-2' },
    ...cities(1000, 'between'),
    { externalId: 'ring-2', name: 'two', twin: 'ring-1' },
    { externalId: 'parent' },
  ];
  const importId = await started(drover, { schema: 'city' }, ndjson(rows));
  expect(await ended(drover, importId)).toMatchObject({ status: 'success', counts: { succeeded: 2503 } });
  const ring = await drover.client().resources.get('city', 'ring-1');
  expect(ring.data).toMatchObject({ twin: 'ring-2' });
});

test('what misses something at the end of an import fails with missing_dependency within 5 s', async () => {
  const rows = [
    { externalId: 'chain-1', twin: 'chain-2' },
    ...cities(1000, 'filler'),
    { externalId: 'chain-2', twin: 'nowhere' },
    { externalId: 'good' },
  ];
  const begun = Date.now();
  const importId = await started(drover, { schema: 'city' }, ndjson(rows));
  const done = await ended(drover, importId, 20_000);
  expect(done).toMatchObject({ status: 'partial_success', counts: { succeeded: 1001, failed: 2, expired: 0 } });
  expect(done.errors?.summary).toEqual({ missing_dependency: 2 });
  const { rows: failed } = await results(drover, importId, 'failed');
  expect(failed.map(({ line, row, errors }) => [line, row, errors?.map(({ code }) => code)])).toEqual([
    [1, rows[0], ['missing_dependency']],
    [1002, rows[1001], ['missing_dependency']],
  ]);
  expect(Date.now() - begun).toBeLessThan(15_000);
});

test('malformed rows fail alone, and results give every row as it was sent', async () => {
  const lines = [
    '{ "externalId": "odd-1",   "size": 1.0 }',
    'no JSON',
    '',
    '[1]',
    '{"externalId":"odd-2","externalId":"odd-3"}',
    '{"name":"nameless"}\r',
    '{"externalId":"odd-4","size":"large"}',
    '{"externalId":"odd-5"}',
  ];
  const body = Buffer.concat([Buffer.from(`\ufeff${lines.join('\n')}\n`), Buffer.from([0x7b, 0xff, 0x7d])]);
  const importId = await started(drover, { schema: 'city' }, body);
  expect(await ended(drover, importId)).toMatchObject({
    status: 'partial_success',
    counts: { succeeded: 2, failed: 6 },
  });
  const { rows, lines: text } = await results(drover, importId);
  expect(rows.map(({ line, status, errors }) => [line, status, errors?.[0]?.code])).toEqual([
    [1, 'succeeded', undefined],
    [2, 'failed', 'malformed'],
    [4, 'failed', 'malformed'],
    [5, 'failed', 'validation'],
    [6, 'failed', 'missing_external_id'],
    [7, 'failed', 'validation'],
    [8, 'succeeded', undefined],
    [9, 'failed', 'malformed'],
  ]);
  expect(text[0]).toContain('"row":{ "externalId": "odd-1",   "size": 1.0 },');
  expect(rows[1]?.row).toBe('no JSON');
  expect(text[3]).toContain('"row":{"externalId":"odd-2","externalId":"odd-3"}');
});

test('gzip is unpacked; content that breaks off, is no gzip or unpacks to far more than was sent is refused', async () => {
  const packed = gzipSync(ndjson(cities(30, 'packed')));
  const gzip = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
  const accepted = await send(drover, { schema: 'city' }, packed, gzip);
  expect(accepted.status).toBe(202);
  expect(await ended(drover, accepted.body.data.importId)).toMatchObject({ counts: { succeeded: 30 } });
  const cut = await send(drover, { schema: 'city' }, packed.subarray(0, -9), gzip);
  expect([cut.status, cut.body.errors]).toEqual([400, ['body: is not whole, valid gzip']]);
  expect((await send(drover, { schema: 'city' }, 'plain', gzip)).status).toBe(400);
  const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024, ' '));
  expect((await send(drover, { schema: 'city' }, bomb, gzip)).status).toBe(413);
  const listed = await drover.request<{ results: { importId: string; brokenOff?: string }[] }>('GET', '/api/imports');
  const broken = listed.body.data.results.filter(({ brokenOff }) => brokenOff !== undefined);
  expect(broken.length).toBeGreaterThan(0);
  for (const { importId } of broken) expect(await ended(drover, importId)).toMatchObject({ status: 'cancelled' });
});

test('zstd is unpacked; content that is no zstd, breaks off, or needs much memory is refused', async () => {
  const zstd = { 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd' };
  const accepted = await send(drover, { schema: 'city' }, PACKED, zstd);
  expect(accepted.status).toBe(202);
  expect(await ended(drover, accepted.body.data.importId)).toMatchObject({ counts: { succeeded: 40 } });
  for (const body of ['plain', PACKED.subarray(0, -9)]) {
    const refused = await send(drover, { schema: 'city' }, body, zstd);
    expect([refused.status, refused.body.errors]).toEqual([400, ['body: is not whole, valid zstd']]);
  }
  const bomb = Buffer.concat(Array.from({ length: 300 }, () => frame(rle(' ', 128 * 1024))));
  expect((await send(drover, { schema: 'city' }, bomb, zstd)).body.message).toMatch(/more than 200 times its size/);
  expect((await send(drover, { schema: 'city' }, frame(raw('a'), 0x70), zstd)).body.message).toMatch(/a window of/);
});

test.each([
  ['an empty file', {}, '', 400, 'body: is empty: at least one row is needed'],
  ['an unknown schema', { schema: 'nothing' }, '{}', 400, 'schema: there is no schema definition "nothing"'],
  ['an unknown option', { onConflict: 'reject' }, '{}', 400, expect.stringContaining('onConflict')],
  ['a wait that is none', { dependencyWaitTimeout: 'long' }, '{}', 400, expect.stringContaining('"import"')],
  [
    'an option of another operation',
    { operation: 'patch', onconflict: 'reject' },
    '{}',
    400,
    'onconflict: not for operation=patch',
  ],
  ['a body beside a format', { format: 'ndjson' }, '{}', 400, expect.stringContaining('must be empty')],
])('%s is refused, and nothing is stored', async (_, options, body, status, fault) => {
  const before = await drover.request<{ pagination: { total: number } }>('GET', '/api/imports');
  const answer = await send(drover, { schema: 'city', ...options }, body);
  expect([answer.status, answer.body.errors?.[0]]).toEqual([status, fault]);
  const after = await drover.request<{ pagination: { total: number } }>('GET', '/api/imports');
  expect(after.body.data.pagination.total).toBe(before.body.data.pagination.total);
});

test('another content type or encoding is a 415', async () => {
  expect((await send(drover, { schema: 'city' }, '{}', { 'content-type': 'application/json' })).status).toBe(415);
  const brotli = { 'content-type': 'application/x-ndjson', 'content-encoding': 'br' };
  expect((await send(drover, { schema: 'city' }, '{}', brotli)).status).toBe(415);
});

test('a patch changes what is there, and a row of nothing fails as not_found', async () => {
  await ended(drover, await started(drover, { schema: 'city' }, ndjson([{ externalId: 'patched', size: 1 }])));
  const rows = [
    { externalId: 'patched', size: 2 },
    { externalId: 'absent', size: 2 },
  ];
  const importId = await started(drover, { schema: 'city', operation: 'patch' }, ndjson(rows));
  const done = await ended(drover, importId);
  expect([done.actions.updated, done.errors?.summary]).toEqual([1, { not_found: 1 }]);
});

test('an import of another tenant is a 404', async () => {
  const importId = await started(drover, { schema: 'city' }, ndjson(cities(1, 'mine')));
  const other = { tenant: 'other' };
  for (const path of ['', '/batches', '/results'])
    expect((await drover.request('GET', `/api/imports/${importId}${path}`, other)).status).toBe(404);
  expect((await drover.request('DELETE', `/api/imports/${importId}`, other)).status).toBe(404);
  expect(await view(drover, importId)).toMatchObject({ importId });
});
