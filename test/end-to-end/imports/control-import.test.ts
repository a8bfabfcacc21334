import { EventSourceParserStream } from 'eventsource-parser/stream';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ImportView } from '../../../services/imports/view-import.ts';
import { IMPORT_WORKFLOW_TYPE, importWorkflowId } from '../../../workflows/imports/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';
import { ended, isOver, ndjson, opened, putPart, seal, started, until, view } from './imports.ts';

let drover: Drover;
beforeAll(async () => {
  // no import here has memory for finding cycles over its batches
  drover = await Drover.start({ environment: { IMPORT_WINDOW: '2', DELETION_MEMORY_BYTES: '1000' } });
  await drover.define('city', { name: { type: 'string' }, twin: { $ref: 'reach:schemas/city' } });
});
afterAll(() => drover.stop());

const rows = (n: number, prefix: string, more: object = {}) =>
  Array.from({ length: n }, (_, at) => ({ externalId: `${prefix}-${at}`, ...more }));
const act = (importId: string, verb: string) => drover.request<ImportView>('POST', `/api/imports/${importId}/${verb}`);

test('a suspended import applies nothing until it is resumed', async () => {
  const importId = await opened(drover, { schema: 'city' });
  expect((await act(importId, 'suspend')).body.data.suspended).toBe(true);
  await putPart(drover, importId, 1, ndjson(rows(3000, 'held')));
  await seal(drover, importId, 1);
  await until(drover, importId, ({ source, suspended }) => source === 'workflow' && suspended);
  expect((await view(drover, importId)).counts.succeeded).toBe(0);
  expect((await act(importId, 'resume')).status).toBe(200);
  expect(await ended(drover, importId)).toMatchObject({ status: 'success', counts: { succeeded: 3000 } });
  expect((await act(importId, 'suspend')).status).toBe(409);
});

test('suspending reaches the batches that run, and resuming those that the import has suspended', async () => {
  const held = drover.holdAt('checked');
  const importId = await started(drover, { schema: 'city' }, ndjson(rows(2000, 'running')));
  await held.reached;
  await act(importId, 'suspend');
  const batches = async () =>
    (
      await drover.request<{ results: { suspended: boolean; status: string }[] }>(
        'GET',
        `/api/imports/${importId}/batches`,
      )
    ).body.data.results;
  await expect.poll(async () => (await batches()).every(({ suspended }) => suspended), { timeout: 20_000 }).toBe(true);
  held.open();
  await act(importId, 'resume');
  expect(await ended(drover, importId)).toMatchObject({ status: 'success', counts: { succeeded: 2000 } });
});

test('a cancelled import keeps what was applied; a retry runs the rest, also the rows that were not read', async () => {
  const held = drover.holdAt('checked');
  const importId = await started(drover, { schema: 'city' }, ndjson(rows(6000, 'cancelled')));
  await held.reached;
  expect((await act(importId, 'cancel')).status).toBe(200);
  held.open();
  const cancelled = await ended(drover, importId);
  expect(cancelled.status).toBe('cancelled');
  expect(cancelled.rowsRead).toBeLessThan(6000);
  expect((await act(importId, 'cancel')).status).toBe(200);
  expect((await act(importId, 'resume')).status).toBe(409);
  expect((await act(importId, 'retry')).status).toBe(202);
  expect(await ended(drover, importId)).toMatchObject({
    status: 'success',
    rowsRead: 6000,
    counts: { succeeded: 6000 },
  });
  expect((await act(importId, 'retry')).status).toBe(409);
});

test('a retry runs failed rows again, which succeed once what they missed is there', async () => {
  const importId = await started(
    drover,
    { schema: 'city' },
    ndjson([...rows(1100, 'retried', { twin: 'later' }), { externalId: 'fine' }]),
  );
  expect(await ended(drover, importId)).toMatchObject({ counts: { failed: 1100, succeeded: 1 } });
  await drover.ended(await drover.upload('city', [{ externalId: 'later' }]));
  expect((await act(importId, 'retry')).status).toBe(202);
  expect(await ended(drover, importId)).toMatchObject({ status: 'success', counts: { failed: 0, succeeded: 1101 } });
});

test('a retry waits until the execution of the run before has closed, and then starts at once, without recovery', async () => {
  const importId = await started(drover, { schema: 'city' }, ndjson(rows(1, 'closing', { twin: 'not there yet' })));
  expect((await ended(drover, importId)).status).toBe('failed');
  await drover.ended(await drover.upload('city', [{ externalId: 'not there yet' }]));
  const { client } = drover.services;
  const workflowId = importWorkflowId(importId);
  await client.workflow.getHandle(workflowId).result();
  // no worker takes it, so it is as open as the run before is for a moment after its end is stored
  const before = { taskQueue: 'of nobody', workflowId, args: [], memo: { run: 1 } };
  const runBefore = await client.workflow.start(IMPORT_WORKFLOW_TYPE, before);
  const start = vi.spyOn(client.workflow, 'start');
  const retried = act(importId, 'retry');
  await vi.waitFor(() => expect(start.mock.calls.length).toBeGreaterThanOrEqual(2));
  start.mockRestore();
  await runBefore.terminate('closes');
  expect((await retried).status).toBe(202);
  expect(await ended(drover, importId)).toMatchObject({ status: 'success', counts: { succeeded: 1 } });
});

test('a batch of a finished import that is retried alone does not wait for rows that will never come, and counts anew', async () => {
  const importId = await started(drover, { schema: 'city' }, ndjson([{ externalId: 'alone', twin: 'comes later' }]));
  expect(await ended(drover, importId)).toMatchObject({ status: 'failed', counts: { failed: 1 } });
  const listed = await drover.request<{ results: { batchId: string }[] }>('GET', `/api/imports/${importId}/batches`);
  const batchId = listed.body.data.results[0]?.batchId ?? '';
  const retry = () => drover.request('POST', `/api/batches/${batchId}/retry`);
  expect((await retry()).status).toBe(202);
  expect(await drover.ended(batchId)).toMatchObject({
    status: 'failed',
    errors: { summary: { missing_dependency: 1 } },
  });
  await drover.ended(await drover.upload('city', [{ externalId: 'comes later' }]));
  expect((await retry()).status).toBe(202);
  expect((await drover.ended(batchId)).status).toBe('success');
  await until(drover, importId, ({ status, counts }) => status === 'success' && counts.succeeded === 1);
}, 120_000);

test('a batch that is retried, and succeeds, while its import finishes counts: the import has the numbers of after', async () => {
  const row = { externalId: 'finishing', twin: 'in between' };
  const held = drover.holdAt('import-counted');
  const importId = await started(drover, { schema: 'city' }, ndjson([row]));
  await held.reached;
  const listed = await drover.request<{ results: { batchId: string }[] }>('GET', `/api/imports/${importId}/batches`);
  const batchId = listed.body.data.results[0]?.batchId ?? '';
  expect((await drover.batch(batchId)).status).toBe('failed');
  await drover.ended(await drover.upload('city', [{ externalId: row.twin }]));
  expect((await drover.request('POST', `/api/batches/${batchId}/retry`)).status).toBe(202);
  expect((await drover.ended(batchId)).status).toBe('success');
  // what it reports is received by a workflow that does not read it any more
  held.open();
  expect(await until(drover, importId, ({ source }) => source === 'store')).toMatchObject({
    status: 'success',
    counts: { failed: 0, succeeded: 1 },
  });
});

test('a batch that is retried while its import finishes, and waits, is told that no row will create what it misses', async () => {
  const held = drover.holdAt('import-counted');
  const importId = await started(drover, { schema: 'city' }, ndjson([{ externalId: 'waits', twin: 'never there' }]));
  await held.reached;
  const listed = await drover.request<{ results: { batchId: string }[] }>('GET', `/api/imports/${importId}/batches`);
  const batchId = listed.body.data.results[0]?.batchId ?? '';
  expect((await drover.request('POST', `/api/batches/${batchId}/retry`)).status).toBe(202);
  await expect.poll(async () => (await drover.batch(batchId)).status, { timeout: 20_000 }).toBe('waiting');
  held.open();
  expect((await drover.ended(batchId)).status).toBe('failed');
  await until(drover, importId, ({ status, counts }) => status === 'failed' && counts.failed === 1);
});

test('an import says that cycles over its batches were not looked for, until it is retried', async () => {
  // of three batches: none of them follows so many rows of others
  const n = 900;
  const ring = Array.from({ length: n }, (_, at) => ({ externalId: `ring-${at}`, twin: `ring-${(at + 1) % n}` }));
  const third = (which: number) => [...ring.filter((_, at) => at % 3 === which), ...rows(700, `between-${which}`)];
  const importId = await started(drover, { schema: 'city' }, ndjson([0, 1, 2].flatMap(third)));
  const warnings = [expect.stringMatching(/not looked for.*DELETION_MEMORY_BYTES/)];
  expect(await ended(drover, importId)).toMatchObject({
    counts: { failed: n, succeeded: 2_100 },
    errors: { summary: { missing_dependency: n } },
    warnings,
  });
  expect((await act(importId, 'retry')).body.data.warnings).toBeUndefined();
  await act(importId, 'cancel');
});

test('a deleted import is a 404 with its batches at once, and recovery removes everything of it', async () => {
  const importId = await started(drover, { schema: 'city' }, ndjson(rows(3000, 'deleted')));
  const { batches } = await until(drover, importId, ({ batches: { total } }) => total > 0);
  expect(batches.total).toBeGreaterThan(0);
  expect((await drover.request('DELETE', `/api/imports/${importId}`)).status).toBe(200);
  expect((await drover.request('GET', `/api/imports/${importId}`)).status).toBe(404);
  expect((await drover.request('DELETE', `/api/imports/${importId}`)).status).toBe(404);
  const { database } = drover.services;
  const left = async () => ({
    batches: await database.collection('batches').countDocuments({ importId }),
    chunks: await database
      .collection<{ _id: string }>('import_chunks')
      .countDocuments({ _id: { $gte: importId, $lt: `${importId}0` } }),
  });
  await vi.waitFor(
    async () => {
      await recoverNow(drover);
      expect(await left()).toEqual({ batches: 0, chunks: 0 });
    },
    { timeout: 50_000, interval: 200 },
  );
});

test('each change of an import is an event, its end is the last one, and then the stream ends', async () => {
  const importId = await opened(drover, { schema: 'city' });
  const watch = (headers: Record<string, string> = {}) =>
    drover.app.request(`/api/imports/${importId}/events`, { headers });
  const response = await watch();
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events: { id: string; imported: ImportView }[] = [];
  const reading = (async () => {
    const parsed = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>)
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    for await (const { event, id = '', data } of parsed) {
      expect(event).toBe('import');
      events.push({ id, imported: JSON.parse(data) });
    }
  })();
  await vi.waitFor(() => expect(events.length).toBeGreaterThan(0));
  await putPart(drover, importId, 1, ndjson(rows(1200, 'watched')));
  await seal(drover, importId, 1);
  await reading;
  const { source: _, ...last } = await view(drover, importId);
  expect(events.at(-1)?.imported).toMatchObject({ ...last, status: 'success' });
  expect(events.filter(({ imported }) => isOver(imported)).length).toBe(1);
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  const processed = events.map(({ imported }) => imported.progress.processedRecords);
  expect(processed).toEqual([...processed].sort((a, b) => a - b));
  expect((await watch({ 'last-event-id': events.at(-1)?.id ?? '' })).status).toBe(204);
  expect((await watch({ 'reach-tenant-id': 'other' })).status).toBe(404);
});

test('an import whose content is not complete cannot be retried', async () => {
  const importId = await opened(drover, { schema: 'city' });
  await act(importId, 'cancel');
  expect((await ended(drover, importId)).status).toBe('cancelled');
  expect((await act(importId, 'retry')).status).toBe(409);
  expect((await seal(drover, importId, 1)).status).toBe(409);
});
