import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { Drover } from '../../harness/drover.ts';
import { ended, ndjson, opened, putPart, results, seal, send, started } from './imports.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('city', { name: { type: 'string' }, twin: { $ref: 'reach:schemas/city' } });
  await drover.define('road', { to: { $ref: 'reach:schemas/city' } });
  await drover.ended(await drover.upload('city', [{ externalId: 'stored', name: 'before' }]));
});
afterAll(() => drover.stop());

const stored = async (): Promise<unknown[]> => {
  const { database } = drover.services;
  return database.collection('resources').find({}).sort({ _id: 1 }).toArray();
};

test('a checked import has the outcomes that it would have, and writes nothing to resources', async () => {
  const before = await stored();
  const rows = [
    // children of what comes last, over several batches; a cycle; what the store holds
    ...Array.from({ length: 2200 }, (_, at) => ({ externalId: `child-${at}`, twin: 'parent' })),
    { externalId: 'ring-1', twin: 'ring-2' },
    { externalId: 'ring-2', twin: 'ring-1' },
    { externalId: 'stored', name: 'after', twin: 'stored' },
    { externalId: 'lost', twin: 'nowhere' },
    { externalId: 'wrong', name: 5 },
    { name: 'nameless' },
    { externalId: 'parent' },
  ];
  const importId = await started(drover, { schema: 'city', validateOnly: true }, `${ndjson(rows)}no JSON\n`);
  const done = await ended(drover, importId);
  expect(done).toMatchObject({
    status: 'partial_success',
    options: { validateOnly: true },
    rowsRead: 2208,
    counts: { succeeded: 2204, failed: 4 },
    actions: { created: 2203, updated: 1 },
    errors: { summary: { missing_dependency: 1, validation: 1, missing_external_id: 1, malformed: 1 } },
  });
  const { rows: failed } = await results(drover, importId, 'failed');
  expect(failed.map(({ line, errors }) => [line, errors?.[0]?.code])).toEqual([
    [2204, 'missing_dependency'],
    [2205, 'validation'],
    [2206, 'missing_external_id'],
    [2208, 'malformed'],
  ]);
  expect(await stored()).toEqual(before);
  const { database } = drover.services;
  for (const name of ['import_keys', 'intents', 'pending_items', 'waits'])
    expect([name, await database.collection(name).countDocuments()]).toEqual([name, 0]);
  expect((await drover.request('POST', `/api/imports/${importId}/retry`)).status).toBe(409);
  const { body } = await drover.request<{ results: BatchView[] }>('GET', `/api/imports/${importId}/batches`);
  const failing = body.data.results.find(({ counts }) => counts.failed > 0);
  expect(failing?.validateOnly).toBe(true);
  expect((await drover.request('POST', `/api/batches/${failing?.batchId}/retry`)).status).toBe(409);
});

test('rows of several schema definitions in parts are checked once all parts are there; a patch by what is stored', async () => {
  const before = await stored();
  const importId = await opened(drover, { validateOnly: true });
  const rows = [
    { schema: 'road', resource: { externalId: 'r', to: 'late' } },
    { schema: 'road', resource: { externalId: 's', to: 'stored' } },
    { schema: 'road', resource: { externalId: 't', to: 'nowhere' } },
  ];
  await putPart(drover, importId, 1, ndjson(rows));
  await putPart(drover, importId, 2, ndjson([{ schema: 'city', resource: { externalId: 'late' } }]));
  await seal(drover, importId, 2);
  expect(await ended(drover, importId)).toMatchObject({ counts: { succeeded: 3, failed: 1 }, rowsRead: 4 });
  const patch = ndjson([
    { externalId: 'stored', name: 'x' },
    { externalId: 'child-1' },
    { externalId: 'stored', twin: 'no' },
  ]);
  const patched = await started(drover, { schema: 'city', operation: 'patch', validateOnly: true }, patch);
  expect(await ended(drover, patched)).toMatchObject({
    counts: { succeeded: 1, failed: 2 },
    errors: { summary: { not_found: 1, missing_dependency: 1 } },
  });
  expect(await stored()).toEqual(before);
  const waiting = { schema: 'city', validateOnly: true, dependencyWaitTimeout: 5 };
  expect((await send(drover, waiting, '{}')).body.errors).toEqual(['dependencyWaitTimeout: not with validateOnly']);
});
