import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { ended, ndjson, opened, putPart, results, seal, started, until } from './imports.ts';

let drover: Drover;
beforeAll(async () => {
  // many items are applied by one activity
  drover = await Drover.start({ environment: { ACTIVITY_TIMEOUT_SECONDS: '30' } });
  await drover.define('city', { twin: { $ref: 'reach:schemas/city' } });
});
afterAll(() => drover.stop());

/** Numbers below `n` in an order that looks random and is the same in each run. */
function shuffled(n: number): number[] {
  const all = Array.from({ length: n }, (_, at) => at);
  let seed = 7;
  for (let at = n - 1; at > 0; at--) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    const other = seed % (at + 1);
    [all[at], all[other]] = [all[other] as number, all[at] as number];
  }
  return all;
}

test('a cycle over all batches is applied, and what hangs on it, but not what misses something; larger than what one batch looks through', async () => {
  const n = 1_300;
  const order = shuffled(n);
  const ring = order.map((at) => ({ externalId: `ring-${at}`, twin: `ring-${(at + 1) % n}` }));
  const others = [
    ...Array.from({ length: 30 }, (_, at) => ({ externalId: `tail-${at}`, twin: at ? `tail-${at - 1}` : 'ring-0' })),
    ...Array.from({ length: 10 }, (_, at) => ({ externalId: `lost-${at}`, twin: at ? `lost-${at - 1}` : 'nowhere' })),
  ];
  const importId = await started(drover, { schema: 'city' }, ndjson([...others.reverse(), ...ring]));
  expect(await ended(drover, importId, 170_000)).toMatchObject({
    status: 'partial_success',
    counts: { succeeded: n + 30, failed: 10 },
    errors: { summary: { missing_dependency: 10 } },
  });
  const { rows } = await results(drover, importId, 'failed');
  expect(rows.map(({ row }) => (row as { externalId: string }).externalId).sort()[0]).toBe('lost-0');
}, 180_000);

test("rows that miss something stay in nobody's way: neither a second row of a member of a cycle, nor a cycle whose batch a caller has suspended", async () => {
  const rows = [
    { externalId: 'duo-1', twin: 'duo-2' },
    { externalId: 'duo-2', twin: 'never there' },
    ...Array.from({ length: 998 }, (_, at) => ({ externalId: `more-${at}` })),
    { externalId: 'duo-2', twin: 'duo-1' },
    { externalId: 'lost', twin: 'never there either' },
  ];
  const importId = await opened(drover, { schema: 'city' });
  const first = async () => {
    const listed = await drover.request<{ results: { batchId: string; status: string }[] }>(
      'GET',
      `/api/imports/${importId}/batches`,
    );
    return listed.body.data.results[0];
  };
  await putPart(drover, importId, 1, ndjson(rows.slice(0, 1_000)));
  await expect.poll(async () => (await first())?.status, { timeout: 60_000 }).toBe('waiting');
  const batchId = (await first())?.batchId ?? '';
  await drover.request('POST', `/api/batches/${batchId}/suspend`);
  await putPart(drover, importId, 2, ndjson(rows.slice(1_000)));
  await seal(drover, importId, 2);
  // the second batch has a member of the cycle, which has hope, and stays; so does the first one
  await until(drover, importId, ({ counts }) => counts.pending === 4);
  await drover.request('POST', `/api/batches/${batchId}/resume`);
  expect(await ended(drover, importId, 100_000)).toMatchObject({
    counts: { succeeded: 1_000, failed: 2 },
    errors: { summary: { missing_dependency: 2 } },
  });
}, 180_000);

test('a cycle waits for a member whose batch a caller has suspended, and is applied once that is resumed', async () => {
  const rows = [
    { externalId: 'pair-1', twin: 'pair-2' },
    ...Array.from({ length: 1_200 }, (_, at) => ({ externalId: `fill-${at}` })),
    { externalId: 'pair-2', twin: 'pair-1' },
  ];
  const held = drover.holdAt('checked');
  const importId = await started(drover, { schema: 'city' }, ndjson(rows));
  await held.reached;
  const listed = await drover.request<{ results: { batchId: string }[] }>('GET', `/api/imports/${importId}/batches`);
  const first = listed.body.data.results[0]?.batchId ?? '';
  await drover.request('POST', `/api/batches/${first}/suspend`);
  held.open();
  await until(drover, importId, ({ counts }) => counts.succeeded > 0 || counts.pending > 0);
  await drover.request('POST', `/api/batches/${first}/resume`);
  expect(await ended(drover, importId)).toMatchObject({ status: 'success', counts: { succeeded: 1_202 } });
});
