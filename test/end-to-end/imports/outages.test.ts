import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest';
import type { ImportView } from '../../../services/imports/view-import.ts';
import type { Program } from '../../../testkit/program.ts';
import { TcpProxy } from '../../../testkit/proxy.ts';
import { Drover } from '../../harness/drover.ts';
import { recoverNow, spawnApi } from '../../harness/left-behind.ts';
import { ended, isOver, ndjson, opened, putPart, results, seal, started, view } from './imports.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };
/** Moments at which an API process dies, by the last command that was answered. */
const MOMENTS = ['import_chunks.insertOne', 'import_parts.insertOne', 'imports.insertOne'] as const;

let mongodb: TcpProxy;
let temporal: TcpProxy;
let drover: Drover;
let apis: Record<(typeof MOMENTS)[number], Program>;
beforeAll(async () => {
  mongodb = await TcpProxy.start({ to: inject('mongodbUri') });
  temporal = await TcpProxy.start({ to: inject('temporalAddress') });
  drover = await Drover.start({
    environment: {
      MONGODB_URI: mongodb.address,
      TEMPORAL_ADDRESS: temporal.address,
      IMPORT_WINDOW: '2',
      ACTIVITY_TIMEOUT_SECONDS: '15',
    },
  });
  await drover.define('city', { name: { type: 'string' } });
  const spawned = MOMENTS.map(async (moment) => [moment, await spawnApi(drover, moment)] as const);
  apis = Object.fromEntries(await Promise.all(spawned)) as typeof apis;
}, 180_000);
afterEach(() => drover.atCheckpoint(undefined));
afterAll(async () => {
  await drover.stop();
  await mongodb.stop();
  await temporal.stop();
});

const rows = (n: number, prefix: string) => Array.from({ length: n }, (_, at) => ({ externalId: `${prefix}-${at}` }));

/** Each row of the file has one outcome, and was applied once. */
async function expectEachOnce(importId: string, prefix: string, count: number): Promise<void> {
  expect(await ended(drover, importId, 110_000)).toMatchObject({
    status: 'success',
    rowsRead: count,
    counts: { succeeded: count },
    actions: { created: count, updated: 0, unchanged: 0 },
  });
  const all = (await results(drover, importId)).rows.map(({ line, row }) => [line, row]);
  expect(all).toEqual(rows(count, prefix).map((row, at) => [at + 1, row]));
}

/** Runs recovery until the import is over. */
const recovered = (importId: string): Promise<ImportView> =>
  vi.waitFor(
    async () => {
      await recoverNow(drover);
      const now = await view(drover, importId);
      expect(isOver(now)).toBe(true);
      return now;
    },
    { timeout: 60_000, interval: 200 },
  );

/** Sends a request to an API that dies before it answers. */
async function sendToDying(api: Program, method: string, path: string, body?: string): Promise<void> {
  const init = { method, headers: NDJSON, ...(body !== undefined && { body }) };
  await expect(fetch(api.ready + path, init)).rejects.toThrow();
  await api.ended;
}

async function labelled(label: string): Promise<ImportView> {
  const listed = await drover.request<{ results: ImportView[] }>('GET', `/api/imports?label=${label}`);
  const [imported] = listed.body.data.results;
  if (imported === undefined) throw new Error(`no import ${label}`);
  return imported;
}

test('an API that is killed while a part arrives leaves the import as it was: the part is sent again, and the others follow', async () => {
  const importId = await opened(drover, { schema: 'city' });
  const content = Buffer.from(ndjson(rows(1_500, 'parts')));
  const pieces = [content.subarray(0, 20_001), content.subarray(20_001)].map(String) as [string, string];
  // before its record: nothing of it counts; after it: it is stored
  await sendToDying(apis['import_chunks.insertOne'], 'PUT', `/api/imports/${importId}/parts/2`, pieces[1]);
  expect((await seal(drover, importId, 2)).body.message).toContain('1, 2');
  expect((await putPart(drover, importId, 2, pieces[1])).status).toBe(201);
  await sendToDying(apis['import_parts.insertOne'], 'PUT', `/api/imports/${importId}/parts/1`, pieces[0]);
  expect((await putPart(drover, importId, 1, pieces[0])).status).toBe(200);
  expect((await seal(drover, importId, 2)).status).toBe(200);
  await expectEachOnce(importId, 'parts', 1_500);
  // what the killed process had sent is removed, too
  const chunks = drover.services.database.collection<{ _id: string }>('import_chunks');
  expect(await chunks.countDocuments({ _id: { $gte: importId, $lt: `${importId}0` } })).toBe(0);
}, 120_000);

test('an API that is killed while it receives an import in one request: recovery finds that its sender has gone, and cancels it', async () => {
  await sendToDying(
    apis['imports.insertOne'],
    'POST',
    '/api/imports?schema=city&label=killed',
    ndjson(rows(5, 'killed')),
  );
  const { importId, sealed } = await labelled('killed');
  expect(sealed).toBe(false);
  // as it is a minute after the last sign of the process
  const imports = drover.services.database.collection<{ _id: string }>('imports');
  await imports.updateOne({ _id: importId }, { $set: { sealDue: new Date(Date.now() - 1) } });
  expect(await recovered(importId)).toMatchObject({
    status: 'cancelled',
    brokenOff: 'its sender has gone',
    rowsRead: 0,
  });
}, 120_000);

test.each(['mongodb', 'temporal'] as const)(
  'an import continues by itself after %s was unavailable while it was cut: each row is applied once',
  async (which) => {
    const proxy = which === 'mongodb' ? mongodb : temporal;
    let batches = 0;
    drover.atCheckpoint(async (at) => {
      if (at !== 'cut-inserted') return;
      batches += 1;
      if (batches === 2) proxy.refuse();
    });
    const importId = await started(drover, { schema: 'city' }, ndjson(rows(3_200, which)));
    const ready = async () => (await drover.app.request('/readyz')).status;
    await expect.poll(ready, { timeout: 60_000 }).toBe(503);
    await proxy.pass();
    await expect.poll(ready, { timeout: 20_000 }).toBe(200);
    await expectEachOnce(importId, which, 3_200);
  },
  120_000,
);
