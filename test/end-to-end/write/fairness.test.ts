import { afterEach, beforeEach, expect, test } from 'vitest';
import { batchesIn } from '../../../store/batches/batches.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Drover } from '../../harness/drover.ts';
import { ended as importEnded, started, view } from '../imports/imports.ts';

/** A small batch of another tenant is finished within this time, in ms. */
const LIMIT_MS = 5_000;
/** Share of 200 batches of 1000: queuing all of them (`FAIRNESS_SHARE=1`) takes a minute. */
const SHARE = Number(process.env.FAIRNESS_SHARE ?? '0.4');

let drover: Drover;
beforeEach(async () => {
  // as many as by default: with more, the process is busier with A's batches than with the decision which tenant is next
  drover = await Drover.start({ worker: false, environment: { WRITERS_PER_WORKER: '3' } });
  await drover.define('thing', { n: { type: 'number' } });
});
afterEach(() => drover.stop());

test.each([
  { batches: 200 * SHARE, size: 1000 },
  { batches: 1000 * SHARE, size: 10 },
])(
  'ten items of tenant B are finished within 5 s while tenant A has $batches batches of $size queued',
  async ({ batches, size }) => {
    const resources = (name: string | number, count: number) =>
      Array.from({ length: count }, (_, n) => ({ externalId: `${name}-${n}`, n }));
    const { database } = drover.services;
    const queued: string[] = [];
    while (queued.length < batches) {
      const next = Array.from({ length: 20 }, (_, n) => resources(queued.length + n, size));
      queued.push(...(await Promise.all(next.map((each) => drover.upload('thing', each, {}, { tenant: 'a' })))));
    }
    await drover.startWorker();
    // the worker is at work on A's batches before B's batch arrives
    await expect.poll(() => resourcesIn(database).countDocuments({}), { timeout: 60_000 }).toBeGreaterThan(0);
    const times: number[] = [];
    const through: number[] = [];
    for (let n = 0; n < 3; n++) {
      const started = performance.now();
      const id = await drover.upload('thing', resources(n, 10), {}, { tenant: 'b' });
      const batch = await drover.ended(id, { tenant: 'b' });
      expect(batch.counts.succeeded).toBe(10);
      times.push(Math.round(performance.now() - started));
      through.push(await batchesIn(database).countDocuments({ tenant: 'a', status: 'success' }));
    }
    console.log(
      `B's batches took ${times.join(', ')} ms; of A's ${batches} batches of ${size} ${through.join(', ')} were finished by then`,
    );
    // whatever else the machine does, B did not wait for A
    expect(through[0]).toBeLessThan(batches * 0.75);
    expect(Math.min(...times)).toBeLessThan(LIMIT_MS);
  },
  120_000,
);

test('an import keeps small batches waiting neither of its own tenant nor of another', async () => {
  const rows = 30_000 * SHARE;
  const { database } = drover.services;
  const content = Array.from({ length: rows }, (_, n) => `${JSON.stringify({ externalId: `row-${n}`, n })}\n`).join('');
  const importId = await started(drover, { schema: 'thing' }, content);
  await drover.startWorker();
  await expect.poll(() => resourcesIn(database).countDocuments({}), { timeout: 60_000 }).toBeGreaterThan(0);
  const times: number[] = [];
  for (const tenant of ['default', 'b', 'default', 'b']) {
    const begun = performance.now();
    const id = await drover.upload('thing', [{ externalId: `${times.length}`, n: 1 }], {}, { tenant });
    await drover.ended(id, { tenant });
    times.push(Math.round(performance.now() - begun));
    if (times.length > 2) continue;
    const { counts } = await view(drover, importId);
    // whatever else the machine does, the small batch did not wait for the import
    expect(counts.succeeded).toBeLessThan(rows * 0.75);
  }
  console.log(`small batches beside an import of ${rows} rows took ${times.join(', ')} ms`);
  for (const own of [0, 1]) expect(Math.min(times[own] ?? 0, times[own + 2] ?? 0)).toBeLessThan(LIMIT_MS);
  expect(await importEnded(drover, importId)).toMatchObject({ counts: { succeeded: rows } });
}, 120_000);
