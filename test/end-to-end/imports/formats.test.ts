import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import type { ImportView } from '../../../services/imports/view-import.ts';
import { Drover } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';
import { ended, ndjson, results, send, started } from './imports.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };
const CSV = { 'content-type': 'text/csv' };
const MAX_BYTES = 40_000_000;

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { IMPORT_MAX_BYTES: String(MAX_BYTES) } });
  await drover.define('place', {
    name: { type: ['string', 'null'] },
    size: { type: 'number' },
    code: { type: ['string', 'integer'] },
    tags: { type: 'array', items: { type: 'string' } },
    position: { type: 'object', properties: { lat: { type: 'number' }, lon: { type: 'number' } } },
    _id: { type: 'string' },
  });
  await drover.define('road', { from: { $ref: 'reach:schemas/place' } });
});
afterAll(() => drover.stop());

const imported = async (body: string | Uint8Array, options = {}, headers = NDJSON): Promise<ImportView> => {
  const answer = await send(drover, { schema: 'place', ...options }, body, headers);
  expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
  return ended(drover, answer.body.data.importId);
};

async function exported(accept: string, query: string, tenant: string): Promise<string> {
  const headers = { accept, 'reach-tenant-id': tenant };
  const response = await drover.app.request(`/api/resources/place${query}`, { headers });
  return response.text();
}

test('what is exported is imported as it is, as NDJSON and CSV, with the envelope and without', async () => {
  const places = [
    { externalId: 'a', name: '', size: -0, code: '5', tags: [], position: { lat: 1.5 } },
    { externalId: 'b', name: '\\N', code: 5, tags: ['x,"y"\n;'], position: { lat: 1 }, _id: 'own' },
    { externalId: 'c', name: 'line\r\nbreak \u2028', position: {} },
    { externalId: 'd', size: 1e21, position: { lat: 9007199254740992, lon: 0.1 } },
  ];
  await drover.ended(await drover.upload('place', places, {}, { tenant: 'origin' }), { tenant: 'origin' });
  const data = await exported(NDJSON['content-type'], '', 'origin');
  expect(data.split('\n')).toHaveLength(5);
  for (const [type, query] of [
    [NDJSON, ''],
    [NDJSON, '?envelope=true'],
    [CSV, ''],
    [CSV, '?envelope=true'],
  ] as const) {
    const tenant = `copy ${type['content-type']} ${query}`;
    const file = await exported(type['content-type'], query, 'origin');
    const answer = await drover.request<{ importId: string }>('POST', '/api/imports?schema=place', {
      body: file,
      headers: type,
      tenant,
    });
    expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
    const path = `/api/imports/${answer.body.data.importId}`;
    await expect
      .poll(async () => (await drover.request<ImportView>('GET', path, { tenant })).body.data.status, {
        timeout: 30_000,
      })
      .toBe('success');
    const copied = (await exported(NDJSON['content-type'], '', tenant)).trimEnd().split('\n');
    expect(copied.map((line) => JSON.parse(line))).toEqual(
      data
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    );
  }
});

test('a delete removes what its rows name; a row that names nothing fails, and what is not there is skipped', async () => {
  const ids = Array.from({ length: 1100 }, (_, at) => `gone-${at}`);
  await imported(ndjson(ids.map((externalId) => ({ externalId }))));
  const more = ['"no such one"', '5', '{"name":"nameless"}', '{"externalId":"x","externalId":"y"}', 'no JSON', '""'];
  const rows = ids.map((id, at) => (at % 2 === 0 ? JSON.stringify(id) : JSON.stringify({ externalId: id, other: at })));
  const done = await imported(`${[...rows, ...more].join('\n')}\n`, { operation: 'delete' });
  expect(done).toMatchObject({
    status: 'partial_success',
    options: { operation: 'delete', cascade: false },
    counts: { succeeded: 1100, skipped: 1, failed: 5 },
    actions: { deleted: 1100 },
    errors: { summary: { not_found: 1, malformed: 3, missing_external_id: 2 } },
  });
  const { rows: failed } = await results(drover, done.importId, 'failed');
  expect(failed.map(({ line, row }) => [line, row])).toEqual([
    [1102, 5],
    [1103, { name: 'nameless' }],
    [1104, { externalId: 'y' }],
    [1105, 'no JSON'],
    [1106, ''],
  ]);
});

test('a delete of CSV reads the column of the external id; with cascade what refers goes too', async () => {
  await imported(ndjson([{ externalId: 'hub' }, { externalId: 'spoke' }]));
  await drover.ended(await drover.upload('road', [{ externalId: 'r', from: 'hub' }]));
  const file = 'any,externalId,colour\n1,hub,red\n2,,green\n3,spoke,blue\n';
  const first = await imported(file, { operation: 'delete' }, CSV);
  expect(first).toMatchObject({ counts: { skipped: 1, failed: 1, succeeded: 1 } });
  const response = await drover.app.request(`/api/imports/${first.importId}/results?status=skipped`);
  const skipped = await response.text();
  expect(skipped).toMatch(
    /^"any","externalId","colour","_line","_status","_action","_errors"\n1,hub,red,"2","skipped",,"referenced: /,
  );
  expect(await imported(skipped, { operation: 'delete', cascade: true }, CSV)).toMatchObject({
    status: 'success',
    actions: { deleted: 1, cascaded: 1 },
  });
  for (const [options, fault] of [
    [{ operation: 'delete', onconflict: 'upsert' }, 'onconflict: not for operation=delete'],
    [{ operation: 'delete', dependencyWaitTimeout: '5' }, 'dependencyWaitTimeout: not for operation=delete'],
    [{ cascade: 'true' }, 'cascade: not for operation=upload'],
  ] as const)
    expect((await send(drover, { schema: 'place', ...options }, '"a"')).body.errors).toEqual([fault]);
});

interface BatchOfImport {
  readonly schemaName: string | null;
  readonly progress: { readonly totalRecords: number };
}

test('rows of several schema definitions, each of which names its own, come in any order, and each has its line', async () => {
  const rows: unknown[] = Array.from({ length: 2400 }, (_, at) =>
    at % 2 === 0
      ? { schema: 'road', resource: { externalId: `road-${at}`, from: `place-${at + 1}` } }
      : { schema: 'PLACE', resource: { externalId: `place-${at}`, name: 'b\u2028' } },
  );
  rows.splice(1000, 0, { schema: 'nowhere', resource: { externalId: 'x' } }, [1], { resource: { externalId: 'x' } });
  rows.push(
    { schema: 'road', resource: { externalId: 'lost', from: 'nowhere' } },
    { schema: 'road', resource: {}, x: 1 },
  );
  const answer = await send(drover, {}, ndjson(rows));
  expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
  const { importId } = answer.body.data;
  expect(await ended(drover, importId)).toMatchObject({
    status: 'partial_success',
    schemaName: null,
    rowsRead: 2405,
    counts: { succeeded: 2400, failed: 5 },
    errors: { summary: { malformed: 3, not_found: 1, missing_dependency: 1 } },
  });
  const { rows: all } = await results(drover, importId);
  expect(all.toSorted((a, b) => a.line - b.line).map(({ line, row }) => [line, row])).toEqual(
    rows.map((row, at) => [at + 1, row]),
  );
  const { rows: failed } = await results(drover, importId, 'failed');
  expect(failed.map(({ line, errors }) => `${line} ${errors?.[0]?.message}`).toSorted()).toEqual([
    '1001 line 1001: there is no schema definition "nowhere"',
    '1002 line 1002 is not a JSON object',
    '1003 line 1003 names no schema',
    expect.stringMatching(/^2404 /),
    '2405 line 2405 has a field "x" beside "schema" and "resource"',
  ]);
  const batches = await drover.request<{ results: BatchOfImport[] }>('GET', `/api/imports/${importId}/batches`);
  expect(
    batches.body.data.results.map(({ schemaName, progress }) => `${schemaName} ${progress.totalRecords}`).sort(),
  ).toEqual(['null 3', 'place 1000', 'place 200', 'road 1000', 'road 202']);
});

test('CSV has a column for the schema, and its cells are read by the types of that', async () => {
  const file = [
    'schema,externalId,size,from,code,_line',
    'place,csv-1,5,,"7",1',
    'road,csv-2,,csv-1,,2',
    'road,csv-3,6,csv-1,,3',
    'nowhere,csv-4,,,,4',
    ',csv-5,,,,5',
    'place,csv-6',
  ].join('\n');
  const answer = await send(drover, {}, file, CSV);
  expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
  expect(await ended(drover, answer.body.data.importId)).toMatchObject({
    counts: { succeeded: 2, failed: 4 },
    errors: { summary: { unknown_field: 1, not_found: 1, malformed: 2 } },
  });
  expect((await drover.client().resources.get('place', 'csv-1')).data).toEqual({
    externalId: 'csv-1',
    size: 5,
    code: '7',
  });
  const response = await drover.app.request(`/api/imports/${answer.body.data.importId}/results?status=failed`);
  const failed = await response.text();
  expect(failed.split('\n').filter((line) => /^(road|nowhere|,)/.test(line))).toHaveLength(3);
  expect((await send(drover, {}, 'externalId\nx\n', CSV)).body.errors).toEqual([
    'header: there is no column "schema", and the request names no schema',
  ]);
  const deleted = await send(
    drover,
    { operation: 'delete' },
    '{"schema":"road","resource":"csv-2"}\n{"schema":"place","resource":{"externalId":"csv-1"}}\n',
  );
  expect((await ended(drover, deleted.body.data.importId)).counts.succeeded).toBeGreaterThan(0);
});

test('a line of 15 MiB, a NUL and a quote that is never closed fail alone', async () => {
  const long = `{"externalId":"long","name":"${'x'.repeat(15 * 1024 * 1024)}"}`;
  const rows = [long, '{"externalId":"nul\\u0000"}', '{"externalId":"raw\0"}', '{"externalId":"last"}'];
  const done = await imported(rows.join('\n'));
  expect(done).toMatchObject({ counts: { succeeded: 2, failed: 2 }, errors: { summary: { malformed: 2 } } });
  const { rows: failed } = await results(drover, done.importId, 'failed');
  expect(failed.map(({ line, row }) => [line, String(row).length])).toEqual([
    [1, 65_536],
    [3, 21],
  ]);
  const open = await imported('externalId,name\nfine,1\n"open,never closed', {}, CSV);
  expect(open).toMatchObject({ counts: { succeeded: 1, failed: 1 }, errors: { summary: { malformed: 1 } } });
  const cells = Array.from({ length: 240 }, (_, at) => `row-${at},"${'y'.repeat(65_536)}"\n`).join('');
  const large = await imported(`externalId,name\n"open,${cells}fine-2,last\n`, {}, CSV);
  expect(large.counts).toMatchObject({ succeeded: 240, failed: 1 });
});

test('a row whose text and resource have no room in one document together is applied, read as it was sent, and removed', async () => {
  const name = 'z'.repeat(9 * 1024 * 1024);
  const place = { externalId: 'long in an envelope', name };
  const mixed = await send(drover, {}, ndjson([{ schema: 'place', resource: place }, { schema: 'place' }]));
  const { importId } = mixed.body.data;
  expect(await ended(drover, importId)).toMatchObject({ counts: { succeeded: 1, failed: 1 } });
  expect((await drover.client().resources.get('place', place.externalId)).data).toEqual(place);
  const { rows } = await results(drover, importId);
  expect(rows.map(({ row }) => row)).toEqual([{ schema: 'place', resource: place }, { schema: 'place' }]);
  const csv = await imported(`externalId,name\nlong in a cell,${name}\n`, {}, CSV);
  expect(csv.counts.succeeded).toBe(1);
  const response = await drover.app.request(`/api/imports/${csv.importId}/results`);
  expect(await response.text()).toContain(`\nlong in a cell,${name},"2","succeeded","created",\n`);
  const pages = drover.services.database.collection<{ _id: string }>('item_pages');
  const { results: batches } = (
    await drover.request<{ results: BatchView[] }>('GET', `/api/imports/${importId}/batches`)
  ).body.data;
  const ofBatch = { _id: { $gte: `${batches[0]?.batchId}/`, $lt: `${batches[0]?.batchId}0` } };
  expect(await pages.countDocuments(ofBatch)).toBe(3);
  await drover.request('DELETE', `/api/imports/${importId}`);
  await vi.waitFor(
    async () => {
      await recoverNow(drover);
      expect(await pages.countDocuments(ofBatch)).toBe(0);
    },
    { timeout: 50_000, interval: 200 },
  );
});

test('blank lines alone are an import of 0 rows', async () => {
  expect(await imported('\n \r\n')).toMatchObject({ status: 'success', rowsRead: 0, progress: { successRate: 1 } });
});

test('content that unpacks to more than an import may have is a 413; an upload that breaks off is cancelled', async () => {
  const line = ndjson([{ externalId: 'many', name: 'abcdefghij'.repeat(20) }]);
  const large = gzipSync(Buffer.from(line.repeat(Math.ceil(MAX_BYTES / line.length) + 1)), { level: 1 });
  expect(MAX_BYTES / large.length).toBeLessThan(200);
  const gzip = { ...NDJSON, 'content-encoding': 'gzip' };
  expect((await send(drover, { schema: 'place' }, large, gzip)).body.message).toBe(
    `the content is larger than ${MAX_BYTES} bytes`,
  );
  const breaking = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Buffer.from('{"externalId":"half"}\n{"exter')),
    pull: (controller) => controller.error(new Error('the connection is lost')),
  });
  const sending = { method: 'POST', headers: NDJSON, body: breaking, duplex: 'half' } as RequestInit;
  const answer = await drover.app.request('/api/imports?schema=place&label=broken', sending);
  expect(answer.status).toBe(400);
  const { body } = await drover.request<{ results: ImportView[] }>('GET', '/api/imports?label=broken');
  const [broken] = body.data.results;
  expect(await ended(drover, broken?.importId ?? '')).toMatchObject({
    status: 'cancelled',
    sealed: false,
    brokenOff: 'its content broke off',
  });
});

test('no more rows are carried out in a second than maxPerSecond says', async () => {
  const rows = Array.from({ length: 450 }, (_, at) => ({ externalId: `paced-${at}` }));
  const importId = await started(drover, { schema: 'place', maxPerSecond: 150 }, ndjson(rows));
  expect(await ended(drover, importId)).toMatchObject({
    status: 'success',
    options: { maxPerSecond: 150 },
    counts: { succeeded: 450 },
    batches: { total: 3 },
  });
  const { body } = await drover.request<{ results: BatchView[] }>('GET', `/api/imports/${importId}/batches`);
  const times = body.data.results.map(({ createdAt }) => Date.parse(createdAt));
  // a quarter of a second is allowed for cutting several at a time
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(740);
  expect((times[2] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1740);
  expect((await send(drover, { schema: 'place', maxPerSecond: 0 }, '{}')).status).toBe(400);
});
