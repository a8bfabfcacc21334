import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readImport, recordNextBatch, recordPartRemoved, sealImport } from '../../../store/imports/imports.ts';
import { Drover } from '../../harness/drover.ts';
import { ended, ndjson, opened, putPart, results, seal, until, view } from './imports.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('city', { name: { type: 'string' } });
});
afterAll(() => drover.stop());

const act = (importId: string, verb: string) => drover.request('POST', `/api/imports/${importId}/${verb}`);
const rows = (n: number, prefix: string) => Array.from({ length: n }, (_, at) => ({ externalId: `${prefix}-${at}` }));

test('parts may come in any order and split a row; the same again is a 200, other content a 409, and the seal names what is missing', async () => {
  const importId = await opened(drover, { schema: 'city' });
  const content = Buffer.from(ndjson(rows(1200, 'part')));
  const pieces = [content.subarray(0, 10_001), content.subarray(10_001, 20_003), content.subarray(20_003)];
  expect((await putPart(drover, importId, 3, pieces[2] as Buffer)).status).toBe(201);
  expect((await putPart(drover, importId, 1, pieces[0] as Buffer)).status).toBe(201);
  expect((await putPart(drover, importId, 1, pieces[0] as Buffer)).status).toBe(200);
  expect((await putPart(drover, importId, 1, pieces[1] as Buffer)).status).toBe(409);
  const early = await seal(drover, importId, 3);
  expect([early.status, early.body.message]).toEqual([409, 'these parts are missing: 2']);
  // rows of what is there without a gap are carried out before the rest has come
  await until(drover, importId, ({ counts }) => counts.succeeded > 0);
  expect((await putPart(drover, importId, 2, pieces[1] as Buffer)).status).toBe(201);
  expect((await seal(drover, importId, 2)).status).toBe(409);
  expect((await seal(drover, importId, 3)).status).toBe(200);
  expect((await seal(drover, importId, 3)).status).toBe(200);
  expect(await ended(drover, importId)).toMatchObject({
    status: 'success',
    rowsRead: 1200,
    bytesRead: content.length,
    bytesReceived: content.length,
    counts: { succeeded: 1200 },
  });
  const { rows: all } = await results(drover, importId);
  expect(all.map(({ line, row }) => [line, (row as { externalId: string }).externalId])).toEqual(
    rows(1200, 'part').map(({ externalId }, at) => [at + 1, externalId]),
  );
  expect((await putPart(drover, importId, 4, '{}\n')).status).toBe(409);
  expect((await putPart(drover, importId, 1, pieces[0] as Buffer)).status).toBe(200);
});

test.each([
  ['0', '{}', 400],
  ['x', '{}', 400],
  ['10001', '{}', 400],
  ['1', '', 400],
])('part %s with content "%s" is a %i', async (part, content, status) => {
  const importId = await opened(drover, { schema: 'city' });
  expect((await putPart(drover, importId, part, content)).status).toBe(status);
  expect((await view(drover, importId)).bytesReceived).toBe(0);
});

test('the parts that are stored are listed by number, page by page, with their sizes and SHA-256', async () => {
  const importId = await opened(drover, { schema: 'city' });
  const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
  const contentOf = (part: number) => ndjson(rows(part, `p${part}`));
  for (const part of [10, 2, 1]) await putPart(drover, importId, part, contentOf(part));
  const list = drover.client().imports.parts(importId, { limit: 2 });
  expect(await list.toArray()).toEqual(
    [1, 2, 10].map((part) => ({
      part,
      bytes: Buffer.byteLength(contentOf(part)),
      sha256: hashOf(contentOf(part)),
    })),
  );
  const { results: first, pagination } = await list.page();
  expect([first.map(({ part }) => part), pagination.total, pagination.hasNextPage]).toEqual([[1, 2], 3, true]);
  const other = drover.client({ tenant: 'other' }).imports;
  await expect(other.parts(importId).page()).rejects.toMatchObject({ status: 404 });
});

const removePart = (importId: string, part: number | string) =>
  drover.request('DELETE', `/api/imports/${importId}/parts/${part}`);

test('a part that was sent by mistake is removed, and sent anew or not, until rows of it are carried out', async () => {
  const importId = await opened(drover, { schema: 'city' });
  const wrong = ndjson(rows(30, 'wrong'));
  for (const part of [2, 4]) expect((await putPart(drover, importId, part, wrong)).status).toBe(201);
  expect((await removePart(importId, 4)).status).toBe(200);
  expect((await removePart(importId, 4)).status).toBe(404);
  expect((await removePart(importId, 3)).status).toBe(404);
  expect((await removePart(importId, 'x')).status).toBe(400);
  expect((await removePart(importId, 2)).status).toBe(200);
  expect(await view(drover, importId)).toMatchObject({ bytesReceived: 0 });
  expect((await putPart(drover, importId, 2, ndjson(rows(20, 'second')))).status).toBe(201);
  expect((await putPart(drover, importId, 1, ndjson(rows(10, 'first')))).status).toBe(201);
  await until(drover, importId, ({ counts }) => counts.succeeded === 30);
  const late = await removePart(importId, 2);
  expect([late.status, late.body.message]).toEqual([409, 'rows of part 2 are carried out already']);
  expect((await removePart(importId, 1)).status).toBe(409);
  expect((await seal(drover, importId, 2)).status).toBe(200);
  expect((await removePart(importId, 2)).body.message).toBe('the import is sealed');
  expect(await ended(drover, importId)).toMatchObject({ status: 'success', rowsRead: 30 });
});

test('a part that a crash has left half removed counts as never sent, and is sent anew', async () => {
  const importId = await opened(drover, { schema: 'city' });
  const { database } = drover.services;
  const content = ndjson(rows(10, 'left'));
  await putPart(drover, importId, 2, content);
  const part = await database.collection<{ _id: string; upload: string }>('import_parts').findOne({
    _id: `${importId}/2`,
  });
  await recordPartRemoved(database, importId, { part: 2, upload: part?.upload ?? '', bytes: content.length });
  expect((await removePart(importId, 2)).status).toBe(404);
  await putPart(drover, importId, 1, ndjson(rows(5, 'before')));
  expect((await seal(drover, importId, 2)).body.message).toBe('these parts are missing: 2');
  expect((await putPart(drover, importId, 2, content)).status).toBe(201);
  expect((await seal(drover, importId, 2)).status).toBe(200);
  expect(await ended(drover, importId)).toMatchObject({ rowsRead: 15, counts: { succeeded: 15 } });
});

test('of a removal, and of a batch or a seal that has read the part, the later one sees the other', async () => {
  const importId = await opened(drover, { schema: 'city' });
  await act(importId, 'suspend');
  for (const part of [1, 2]) await putPart(drover, importId, part, ndjson(rows(5, `raced-${part}`)));
  const { database } = drover.services;
  const read = await readImport(database, importId);
  expect(read).not.toBeNull();
  expect((await removePart(importId, 2)).status).toBe(200);
  if (read === null) return;
  expect(await sealImport(database, read, { parts: 2, received: 1 })).toBeNull();
  const after = { ...read.cut, part: 2, rows: 10, number: 2 };
  const next = { number: 1, batchId: 'none', createdAt: new Date(), rows: 10, after };
  expect((await recordNextBatch(database, read, next))?.next).toBeUndefined();
  await putPart(drover, importId, 2, ndjson(rows(7, 'anew')));
  expect((await seal(drover, importId, 2)).status).toBe(200);
  await act(importId, 'resume');
  expect(await ended(drover, importId)).toMatchObject({ rowsRead: 12, counts: { succeeded: 12 } });
});

test('many senders of one part: one is new, the others are told that it was sent', async () => {
  const importId = await opened(drover, { schema: 'city' });
  const content = ndjson(rows(50, 'raced'));
  const answers = await Promise.all(Array.from({ length: 8 }, () => putPart(drover, importId, 1, content)));
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array(7).fill(200), 201]);
  await seal(drover, importId, 1);
  expect(await ended(drover, importId)).toMatchObject({ rowsRead: 50, bytesReceived: Buffer.byteLength(content) });
});

test('rows of a sender that is slow, and never pauses, are applied while it sends', async () => {
  const isThere = new AbortController();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      // about 20 kB a second: a chunk would be full after a quarter of a minute
      await sleep(50);
      if (isThere.signal.aborted) controller.close();
      else controller.enqueue(Buffer.from(`{"externalId":"slow"}${' '.repeat(1_000)}\n`));
    },
  });
  const sending = drover.app.request('/api/imports?schema=city', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
    duplex: 'half',
  } as RequestInit);
  const read = async () => (await drover.request('GET', '/api/resources/city/slow')).status;
  const begun = performance.now();
  await expect.poll(read, { timeout: 50_000, interval: 50 }).toBe(200);
  const ms = performance.now() - begun;
  isThere.abort();
  expect((await sending).status).toBe(202);
  // a chunk is not waited for, however busy the machine is
  expect(ms).toBeLessThan(10_000);
});
