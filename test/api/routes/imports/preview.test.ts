import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { CommandRecorder } from '../../../store/mongodb/command-recorder.ts';
import { OwnApi } from '../../own-api.ts';

/** No worker runs here: a dry run needs none, nor Temporal. */
const recorder = new CommandRecorder();
const NDJSON = 'application/x-ndjson';
const CSV = 'text/csv';

let api: OwnApi;
beforeAll(async () => {
  recorder.start();
  const uri = inject('mongodbUri');
  api = await OwnApi.open({ MONGODB_URI: `${uri}${uri.includes('?') ? '&' : '?'}monitorCommands=true` });
  await api.define('city', {
    name: { type: 'string' },
    size: { type: ['integer', 'string'] },
    place: { type: 'object', properties: { lat: { type: 'number' } } },
    twin: { $ref: 'reach:schemas/city' },
  });
  await api.define('road', { to: { $ref: 'reach:schemas/city' } });
  await api.store('city', [{ externalId: 'there', name: 'There' }]);
});
afterAll(async () => {
  recorder.stop();
  await api.close();
});

// biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
type Preview = any;

const WRITES = ['insert', 'update', 'delete', 'findAndModify', 'bulkWrite', 'createIndexes'];
const written = (): number => WRITES.reduce((sum, name) => sum + (recorder.commands.get(name) ?? 0), 0);

async function preview(body: string | ReadableStream, type: string, query = 'schema=city') {
  const before = written();
  const sending = { method: 'POST', headers: { 'content-type': type }, body, duplex: 'half' } as RequestInit;
  const response = await api.app.request(`/api/imports?dryRun=true&${query}`, sending);
  const answer = (await response.json()) as { data: Preview; errors?: string[] };
  expect(written()).toBe(before);
  return { status: response.status, closes: response.headers.get('connection') === 'close', ...answer };
}

test('of CSV tells columns, delimiter, types and the first faults, and stores nothing', async () => {
  const columns = JSON.stringify({ Name: 'name' });
  const file = [
    'externalId;Name;size;place.lat;twin;_line',
    'a;A;5;1.5;there;1',
    'b;B;"6";no;;2',
    'c;C',
    'd;;;;later;4',
  ];
  const { status, data } = await preview(file.join('\n'), CSV, `schema=city&columns=${encodeURIComponent(columns)}`);
  expect(status).toBe(200);
  expect(data).toMatchObject({
    dryRun: true,
    schemaName: 'city',
    delimiter: ';',
    columns: [
      { column: 'externalId', field: 'externalId', type: 'string' },
      { column: 'Name', field: 'name', type: 'string' },
      { column: 'size', field: 'size', type: 'number or string' },
      { column: 'place.lat', field: 'place.lat', type: 'number' },
      { column: 'twin', field: 'twin', type: 'string' },
      { column: '_line', field: null },
    ],
    faults: [],
    rows: 4,
    isWhole: true,
    counts: { succeeded: 1, pending: 1, failed: 2 },
    actions: { created: 1 },
  });
  expect(data.errors).toMatchObject([
    { line: 3, externalId: 'b', errors: [{ code: 'validation' }] },
    { line: 4, externalId: null, errors: [{ code: 'malformed' }] },
  ]);
  expect(data.resources[0]).toEqual({
    line: 2,
    resource: { externalId: 'a', name: 'A', size: 5, place: { lat: 1.5 }, twin: 'there' },
  });
});

test('of a header with faults names them, and reads the rows all the same', async () => {
  const { data } = await preview('externalId,colour,colour\na,red,blue\n', CSV);
  expect(data.faults).toEqual([
    'header: the schema has no field for the column "colour"',
    'header: "colour" is given twice',
    'header: the schema has no field for the column "colour"',
  ]);
  expect(data).toMatchObject({ rows: 1, counts: { failed: 1 } });
  expect((await preview('"open\n', CSV)).data).toMatchObject({ rows: 0, faults: [expect.stringContaining('quote')] });
});

test('answers from the first 1,000 rows without reading what follows, however much that is', async () => {
  let sent = 0;
  let isOver = false;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      const rows = Array.from({ length: 50 }, () => `{"externalId":"e-${sent++}","name":${sent === 7 ? 7 : '"x"'}}\n`);
      controller.enqueue(Buffer.from(rows.join('')));
    },
    cancel() {
      isOver = true;
    },
  });
  const { status, closes, data } = await preview(endless, NDJSON);
  expect([status, closes]).toEqual([200, true]);
  expect(data).toMatchObject({ rows: 1000, isWhole: false, counts: { succeeded: 999, failed: 1 } });
  expect(data.errors).toMatchObject([{ line: 7, externalId: 'e-6', errors: [{ code: 'validation', field: 'name' }] }]);
  await expect.poll(() => isOver).toBe(true);
  expect(sent).toBeLessThan(5000);
});

test('of rows that name their schema definitions decides each by its own, in the order of the file', async () => {
  const rows = [
    { schema: 'road', resource: { externalId: 'r', to: 'there' } },
    { schema: 'city', resource: { externalId: 'c', name: 5 } },
    { schema: 'nowhere', resource: {} },
    { schema: 'ROAD', resource: { externalId: 's', to: 'later' } },
  ];
  const { data } = await preview(rows.map((row) => JSON.stringify(row)).join('\n'), NDJSON, '');
  expect(data).toMatchObject({ schemaName: null, rows: 4, counts: { succeeded: 1, pending: 1, failed: 2 } });
  expect(
    data.errors.map(({ line, errors }: { line: number; errors: { code: string }[] }) => [line, errors[0]?.code]),
  ).toEqual([
    [2, 'validation'],
    [3, 'not_found'],
  ]);
  const deleted = await preview('"there"\n7\n', NDJSON, 'schema=city&operation=delete');
  expect(deleted.data).toMatchObject({ rows: 2, counts: { queued: 1, failed: 1 } });
});

test('needs content, and is refused where the import would be', async () => {
  expect((await preview('', NDJSON)).errors).toEqual(['body: is empty: at least one row is needed']);
  expect((await preview('', NDJSON, 'schema=city&format=ndjson')).errors).toEqual([
    'format: not with dryRun, which needs the content',
  ]);
  expect((await preview('{}', NDJSON, 'schema=nothing')).status).toBe(400);
  expect((await preview('{}', 'text/plain')).status).toBe(415);
});
