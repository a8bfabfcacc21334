import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ImportView } from '../../../../services/imports/view-import.ts';
import { insertPart } from '../../../../store/imports/import-content.ts';
import {
  ended,
  ndjson,
  opened,
  putPart,
  results,
  seal,
  send,
  started,
  until,
} from '../../../end-to-end/imports/imports.ts';
import { Conformance } from '../../../harness/conformance.ts';
import { Drover } from '../../../harness/drover.ts';

const MAX_BYTES = 20_000;
const NEVER = '01900000-0000-7000-8000-000000000000';

let drover: Drover;
let conformance: Conformance;
beforeAll(async () => {
  drover = await Drover.start({
    environment: { IMPORT_MAX_BYTES: String(MAX_BYTES), BODY_LIMIT_BYTES: '10000', MIN_BODY_BYTES_PER_SECOND: '0' },
  });
  conformance = await Conformance.watch(drover);
  await drover.define('thing', { name: { type: 'string' } });
});
afterAll(() => drover.stop());

const rows = (n: number) => ndjson(Array.from({ length: n }, (_, at) => ({ externalId: `row-${at}` })));
const act = (importId: string, verb: string) => drover.request('POST', `/api/imports/${importId}/${verb}`);

test('an import and its answers are as the OpenAPI document describes them', async () => {
  const importId = await started(drover, { schema: 'thing', label: 'mine', undoable: true, retentionDays: 9 }, rows(3));
  await ended(drover, importId);
  await results(drover, importId);
  const events = (headers = {}) => drover.app.request(`/api/imports/${importId}/events`, { headers });
  const [, last = ''] = /^id: ?(.*)$/m.exec(await (await events()).text()) ?? [];
  expect((await events({ 'last-event-id': last })).status).toBe(204);
  for (const path of ['', '?status=success', `/${importId}/batches`])
    expect((await drover.request('GET', `/api/imports${path}`)).status).toBe(200);
  for (const verb of ['suspend', 'resume', 'cancel', 'retry']) expect((await act(importId, verb)).status).toBe(409);
  for (const [query, status] of [
    ['?dryRun=true', 200],
    ['', 202],
    ['', 409],
  ] as const)
    expect((await act(importId, `undo${query}`)).status).toBe(status);
  expect((await send(drover, { schema: 'thing', dryRun: true }, rows(3))).status).toBe(200);
  const inParts = await opened(drover, { schema: 'thing' });
  for (const verb of ['suspend', 'resume']) expect((await act(inParts, verb)).status).toBe(200);
  expect((await putPart(drover, inParts, 1, '{"externalId":"no"}\n[]\n')).status).toBe(201);
  expect((await putPart(drover, inParts, 1, '{"externalId":"no"}\n[]\n')).status).toBe(200);
  expect((await putPart(drover, inParts, 1, '{}')).status).toBe(409);
  const parts = `/api/imports/${inParts}/parts`;
  expect((await putPart(drover, inParts, 2, '[]\n')).status).toBe(201);
  expect((await drover.request('GET', parts)).status).toBe(200);
  expect((await drover.request('DELETE', `${parts}/3`)).status).toBe(404);
  expect((await seal(drover, inParts, 3)).status).toBe(409);
  expect((await seal(drover, inParts, 2)).status).toBe(200);
  expect((await drover.request('DELETE', `${parts}/2`)).status).toBe(409);
  await ended(drover, inParts);
  expect((await act(inParts, 'retry')).status).toBe(202);
  await ended(drover, inParts);
  const cancelled = await opened(drover, { schema: 'thing' });
  expect((await putPart(drover, cancelled, 2, '[]\n')).status).toBe(201);
  expect((await drover.request('DELETE', `/api/imports/${cancelled}/parts/2`)).status).toBe(200);
  expect((await act(cancelled, 'cancel')).status).toBe(200);
  for (const one of [importId, inParts, cancelled])
    expect((await drover.request('DELETE', `/api/imports/${one}`)).status).toBe(200);
});

test('an import that does not exist is a 404 at every route', async () => {
  for (const path of ['', '/parts', '/batches', '/results', '/events'])
    expect((await drover.request('GET', `/api/imports/${NEVER}${path}`)).status).toBe(404);
  for (const verb of ['suspend', 'resume', 'cancel', 'retry', 'undo'])
    expect((await act(NEVER, verb)).status).toBe(404);
  expect((await drover.request('DELETE', `/api/imports/${NEVER}`)).status).toBe(404);
  expect((await putPart(drover, NEVER, 1, '{}')).status).toBe(404);
  expect((await drover.request('DELETE', `/api/imports/${NEVER}/parts/1`)).status).toBe(404);
  expect((await seal(drover, NEVER, 1)).status).toBe(404);
});

test('content past the limit is a 413, all parts together too; content of another type is a 415', async () => {
  expect((await send(drover, { schema: 'thing' }, rows(1000))).status).toBe(413);
  expect((await send(drover, { schema: 'thing' }, '{}', { 'content-type': 'text/plain' })).status).toBe(415);
  const importId = await opened(drover, { schema: 'thing' });
  expect((await putPart(drover, importId, 1, rows(1000))).status).toBe(413);
  expect((await putPart(drover, importId, 1, rows(500))).status).toBe(201);
  expect((await putPart(drover, importId, 2, rows(800))).status).toBe(413);
  expect((await putPart(drover, importId, 2, '{}', { 'content-type': 'application/json' })).status).toBe(415);
  const large = { body: JSON.stringify({ parts: 1, note: ' '.repeat(10_000) }) };
  expect((await drover.request('POST', `/api/imports/${importId}/seal`, large)).status).toBe(413);
  const text = { body: '{}', headers: { 'content-type': 'text/plain' } };
  expect((await drover.request('POST', `/api/imports/${importId}/seal`, text)).status).toBe(415);
});

test('parts that were stored at the same time, and are too large together, are not sealed until one is removed', async () => {
  const importId = await opened(drover, { schema: 'thing' });
  expect((await act(importId, 'suspend')).status).toBe(200);
  for (const part of [1, 2])
    await insertPart(
      drover.services.database,
      { importId, part, upload: `of part ${part}` },
      { chunks: 1, bytes: MAX_BYTES - 1, hash: 'any' },
    );
  const answer = await seal(drover, importId, 2);
  expect([answer.status, answer.body.message]).toEqual([
    413,
    `the parts have ${2 * MAX_BYTES - 2} bytes together, and may have ${MAX_BYTES}`,
  ]);
  expect((await drover.request('DELETE', `/api/imports/${importId}/parts/2`)).status).toBe(200);
  expect((await seal(drover, importId, 1)).status).toBe(200);
  expect((await drover.request('DELETE', `/api/imports/${importId}`)).status).toBe(200);
});

test('rows are carried out while later ones still arrive; an import that is cancelled meanwhile is a 409', async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const sending = {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: readable,
    duplex: 'half',
  };
  const answer = drover.app.request('/api/imports?schema=thing&label=arriving', sending as RequestInit);
  await writer.write(Buffer.from(rows(2)));
  const list = () =>
    drover
      .request<{ results: ImportView[] }>('GET', '/api/imports?label=arriving')
      .then(({ body }) => body.data.results);
  await expect.poll(async () => (await list())[0]?.rowsRead, { timeout: 20_000 }).toBe(2);
  const importId = (await list())[0]?.importId ?? '';
  await until(drover, importId, ({ counts }) => counts.succeeded === 2);
  expect((await act(importId, 'cancel')).status).toBe(200);
  expect((await answer).status).toBe(409);
  await writer.abort();
  expect(await ended(drover, importId)).toMatchObject({ status: 'cancelled', sealed: false });
});

test('describes the answers that tests have seen: every success, 404, 409, 413 and 415 that it names occurred', () => {
  const operations = conformance.operations.filter(({ path }) => path.startsWith('/api/imports'));
  const expected = operations.flatMap(({ operationId, responses }) =>
    Object.keys(responses)
      .filter((status) => status.startsWith('2') || ['404', '409', '413', '415'].includes(status))
      .map((status) => `${operationId} ${status}`),
  );
  expect(expected.length).toBeGreaterThan(30);
  expect(expected.filter((one) => !conformance.seen.has(one))).toEqual([]);
});
