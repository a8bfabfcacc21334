import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover, spawnWorker } from '../harness.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('country', {
    name: { type: 'string' },
    borders: { type: 'array', items: { $ref: 'reach:schemas/country' } },
  }, { required: ['name'] });
});
afterAll(() => drover.stop());

test('one bad row fails alone, with its index and field', async () => {
  const id = await drover.upload('country', [{ externalId: 'ok', name: 'Fine' }, { externalId: 'bad', name: 7 }]);
  const batch = await drover.ended(id);
  expect(batch.status).toBe('partial_success');
  expect(batch.counts).toMatchObject({ succeeded: 1, failed: 1 });
  const items = await drover.items(id);
  expect(items[1]).toMatchObject({ index: 1, externalId: 'bad', status: 'failed', errors: [{ code: 'validation', field: 'name' }] });
});

test('a cycle among the items of a batch is applied together', async () => {
  const id = await drover.upload('country', [
    { externalId: 'DE', name: 'Germany', borders: ['FR'] },
    { externalId: 'FR', name: 'France', borders: ['DE', 'FR'] },
  ]);
  expect((await drover.ended(id)).actions.created).toBe(2);
});

test('a worker killed in the middle of a batch leaves every item with one outcome and one effect', async () => {
  const killed = await Drover.start({ worker: false });
  await killed.define('country', { name: { type: 'string' } });
  const first = await spawnWorker(killed, { checkpoint: 'inserted', nth: 3 });
  const resources = Array.from({ length: 1000 }, (_, n) => ({ externalId: `r${n}`, name: `R${n}` }));
  const id = await killed.upload('country', resources);
  await first.ended;
  await killed.startWorker();
  const batch = await killed.ended(id, { timeoutMs: 55_000 });
  expect(batch.counts).toMatchObject({ succeeded: 1000, queued: 0 });
  expect(batch.actions).toMatchObject({ created: 1000, updated: 0 });
  const stored = await killed.services.database.resources.find({}, { projection: { version: 1 } }).toArray();
  expect(stored).toHaveLength(1000);
  expect(stored.every((resource) => resource.version === 1)).toBe(true);
  await killed.stop();
});
