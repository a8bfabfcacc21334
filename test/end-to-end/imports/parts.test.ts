import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { ended, ndjson, opened, putPart, results, seal, until, view } from './imports.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('city', { name: { type: 'string' } });
});
afterAll(() => drover.stop());

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
