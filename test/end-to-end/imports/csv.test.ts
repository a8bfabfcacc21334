import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseRecords } from '../../../domain/imports/csv-cells.ts';
import { Drover } from '../../harness/drover.ts';
import { ended, opened, putPart, results, seal, send } from './imports.ts';

const CSV = { 'content-type': 'text/csv' };

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('city', {
    name: { type: 'string' },
    size: { type: 'integer' },
    place: { type: 'object', properties: { lat: { type: 'number' } } },
    twins: { type: 'array', items: { $ref: 'reach:schemas/city' } },
  });
});
afterAll(() => drover.stop());

async function imported(body: string | Uint8Array, options: Record<string, string> = {}) {
  const answer = await send(drover, { schema: 'city', ...options }, body, CSV);
  expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
  return ended(drover, answer.body.data.importId);
}

async function csvResults(importId: string, status = ''): Promise<string> {
  return (await drover.app.request(`/api/imports/${importId}/results${status && `?status=${status}`}`)).text();
}

test('rows of CSV become resources by the types of the schema', async () => {
  const file =
    '\ufeffid;Full name;size;place.lat;twins\r\nparis;"Paris;\nla ville";2000000;48.85;"[""rome""]"\r\nrome;Rome;\\N;;\r\n';
  const columns = JSON.stringify({ id: 'externalId', 'Full name': 'name' });
  expect(await imported(file, { columns })).toMatchObject({
    status: 'success',
    format: 'csv',
    rowsRead: 2,
    counts: { succeeded: 2 },
  });
  expect((await drover.client().resources.get('city', 'paris')).data).toEqual({
    externalId: 'paris',
    name: 'Paris;\nla ville',
    size: 2_000_000,
    place: { lat: 48.85 },
    twins: ['rome'],
  });
  expect((await drover.client().resources.get('city', 'rome')).data).toEqual({ externalId: 'rome', name: 'Rome' });
});

test('rows that do not fit fail alone with their line, and come back as they were sent, to be mended and imported again', async () => {
  const lines = [
    'externalId,name,size',
    'fit-1,"one, two",1',
    'few,2',
    'many,2,3,4',
    'stray,5" pipe,1',
    'typed,"a\nb",large',
    '"open,never closed,1',
    'fit-2,last,2',
  ];
  const done = await imported(`${lines.join('\n')}\n`);
  expect(done).toMatchObject({
    rowsRead: 7,
    counts: { succeeded: 2, failed: 5 },
    errors: { summary: { malformed: 4, validation: 1 } },
  });
  const failed = parseRecords(await csvResults(done.importId, 'failed'), ',') ?? [];
  expect(failed[0]).toEqual(['externalId', 'name', 'size', '_line', '_status', '_action', '_errors']);
  expect(failed.slice(1).map((cells) => [cells.length, cells[0], cells[3], cells[4]])).toEqual([
    [7, 'few,2', '3', 'failed'],
    [7, 'many,2,3,4', '4', 'failed'],
    [7, 'stray,5" pipe,1', '5', 'failed'],
    [7, 'typed', '6', 'failed'],
    [7, '"open,never closed,1', '8', 'failed'],
  ]);
  const mended = (await csvResults(done.importId, 'failed'))
    .split('\n')
    .filter((line) => /^externalId|^"externalId|^typed|^b"/.test(line))
    .join('\n')
    .replace('large', '5');
  expect(await imported(mended)).toMatchObject({ status: 'success', counts: { succeeded: 1 } });
});

test('a header without rows is an import of 0 rows; faults of the header are a 400 before anything is stored', async () => {
  expect(await imported('externalId,name')).toMatchObject({ status: 'success', rowsRead: 0, batches: { total: 0 } });
  for (const header of [
    'externalId,name,name\n',
    'externalId,colour\n',
    Buffer.from('externalId,caf\xe9\n', 'latin1'),
    '\n\n',
    '"open\n',
  ])
    expect((await send(drover, { schema: 'city' }, header, CSV)).status).toBe(400);
  const ndjson = { 'content-type': 'application/x-ndjson' };
  expect((await send(drover, { schema: 'city', delimiter: ',' }, '{}', ndjson)).body.errors).toEqual([
    'delimiter: for CSV alone',
  ]);
});

test('a row in Latin-1 fails alone, and NUL is a character like others', async () => {
  const file = Buffer.concat([
    Buffer.from('externalId,name\nlatin,caf'),
    Buffer.from([0xe9]),
    Buffer.from('\nnul,a\0b\n'),
  ]);
  expect(await imported(file)).toMatchObject({
    counts: { succeeded: 1, failed: 1 },
    errors: { summary: { malformed: 1 } },
  });
  expect((await drover.client().resources.get('city', 'nul')).data).toMatchObject({ name: 'a\0b' });
});

test('a file of CSV in parts is cut where its quotes allow, in many batches', async () => {
  const importId = await opened(drover, { schema: 'city', format: 'csv' });
  const rows = Array.from({ length: 2300 }, (_, at) => `part-${at},"line one\nline ""two""",${at}\n`);
  const content = Buffer.from(`externalId,name,size\n${rows.join('')}`);
  const middle = 30_011;
  expect((await putPart(drover, importId, 1, Buffer.from('externalId,colour\n'), CSV)).status).toBe(400);
  expect((await putPart(drover, importId, 2, content.subarray(middle), CSV)).status).toBe(201);
  expect((await putPart(drover, importId, 1, content.subarray(0, middle), CSV)).status).toBe(201);
  await seal(drover, importId, 2);
  expect(await ended(drover, importId)).toMatchObject({
    status: 'success',
    rowsRead: 2300,
    counts: { succeeded: 2300 },
  });
  const all = parseRecords(await csvResults(importId), ',') ?? [];
  expect(all.length).toBe(2301);
  expect(all.at(-1)?.slice(0, 5)).toEqual([
    'part-2299',
    'line one\nline "two"',
    '2299',
    String(2 + 2 * 2299),
    'succeeded',
  ]);
});

test('results of an import of another format are of that format', async () => {
  const answer = await send(drover, { schema: 'city' }, '{"externalId":"json"}');
  await ended(drover, answer.body.data.importId);
  const { rows } = await results(drover, answer.body.data.importId);
  expect(rows).toMatchObject([{ line: 1, row: { externalId: 'json' }, status: 'succeeded' }]);
});
