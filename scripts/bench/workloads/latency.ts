import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Benchmark } from '../bench.ts';
import { customers } from '../data/customers.ts';
import { type Figure, inRounds, percentile, ratio } from '../figures.ts';
import type { Installation, InstallationOptions } from '../installation.ts';
import { timeOfInserts } from './accept-inserts.ts';

/** Batches that are on their way while latency under load is measured. */
const LOAD = 10;

/** Time from the request to the 202 for 1000 resources, beside the inserts that it must do. */
export const acceptLatency: Benchmark = {
  name: 'accept',
  about: 'time to the 202 for a batch of 1000 resources, idle and while ten other batches run',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const size = bench.size(1000);
      await accepts(drover, await drover.newTenant(), 5, size);
      const figures = await inRounds(bench.rounds, async (round): Promise<Figure[]> => {
        const tenant = await drover.newTenant();
        const times = await accepts(drover, tenant, 20, size);
        const inserts = await timeOfInserts(drover.database, size, 20, `round-${round}`);
        const loaded = await underLoad(bench, drover, () => accepts(drover, tenant, 10, size, 100));
        return [
          ...percentiles('idle', times),
          {
            name: 'the two bulk inserts, p50',
            unit: 'ms',
            values: [percentile(inserts.pages, 0.5)],
            note: 'pages of items and the batch, as stored',
          },
          {
            name: 'one document an item, p50',
            unit: 'ms',
            values: [percentile(inserts.documents, 0.5)],
            note: 'the same by 1000 documents and the batch',
          },
          ...percentiles('under load', loaded),
        ];
      });
      const named = (name: string): Figure => figures.find((figure) => figure.name === name) as Figure;
      return [
        ...figures,
        ratio('accept by the two inserts', named('idle p50'), named('the two bulk inserts, p50'), {
          target: { atMost: 1.5 },
        }),
        ratio('accept by one document an item', named('idle p50'), named('one document an item, p50')),
      ];
    }),
};

/** Time of a status query while ten batches of 1000 run: one worker for all, and one for workflows beside one for activities. */
export const statusLatency: Benchmark = {
  name: 'status',
  about:
    'time of a status query, idle and while ten batches of 1000 run, from one worker or from two that share the work by kind',
  run: async (bench) => {
    const together = await statusFigures(bench, '', {});
    const apart = await statusFigures(bench, 'apart, ', { apart: true });
    return [
      ...together,
      ...apart.map((figure) => (figure.name.endsWith('load p95') ? { ...figure, target: { atMost: 100 } } : figure)),
    ];
  },
};

function statusFigures(bench: Bench, prefix: string, options: InstallationOptions): Promise<Figure[]> {
  return bench.withInstallation(async (drover) => {
    await underLoad(bench, drover, (ids, tenant) => queries(drover, ids, tenant));
    return inRounds(bench.rounds, async () => {
      const waiting = await drover.newTenant();
      const id = await drover.upload(
        [{ id: 'waits', name: 'One who waits', region: 'never' }],
        waiting,
        '?dependencyWaitTimeout=86400',
      );
      await drover.waiting([id]);
      const idle = await queries(drover, [id], waiting);
      await drover.send('POST', `/api/batches/${id}/cancel`, undefined, waiting);
      await drover.ended([id], true);
      const loaded = await underLoad(bench, drover, (ids, tenant) => queries(drover, ids, tenant));
      return [...percentiles(`${prefix}idle`, idle), ...percentiles(`${prefix}under load`, loaded)];
    });
  }, options);
}

function percentiles(name: string, times: readonly number[]): Figure[] {
  return [50, 95, 99].map((share) => ({
    name: `${name} p${share}`,
    unit: 'ms',
    values: [percentile(times, share / 100)],
  }));
}

async function accepts(
  drover: Installation,
  tenant: string,
  count: number,
  size: number,
  pauseMs = 0,
): Promise<number[]> {
  const times: number[] = [];
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const body = JSON.stringify({ resources: customers(0, size, n) });
    const started = performance.now();
    const id = await drover.start('POST', 'customer', body, tenant);
    times.push(performance.now() - started);
    // idle: each batch is over before the next one
    if (pauseMs === 0) await drover.ended([id]);
    else await sleep(pauseMs);
    ids.push(id);
  }
  await drover.ended(ids);
  return times;
}

/** 100 queries of some batches in turn, one after the other. */
async function queries(drover: Installation, ids: readonly string[], tenant: string): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < 100; n++) {
    const started = performance.now();
    await drover.view(ids[n % ids.length] ?? '', tenant);
    times.push(performance.now() - started);
    await sleep(10);
  }
  return times;
}

/** Keeps ten batches on their way while something is measured; it is given some of their ids. */
async function underLoad<T>(
  bench: Bench,
  drover: Installation,
  measure: (ids: string[], tenant: string) => Promise<T>,
): Promise<T> {
  const tenant = await drover.newTenant();
  const size = bench.size(1000);
  const ids: string[] = [];
  let isOver = false;
  const lanes = Array.from({ length: LOAD }, async (_, lane) => {
    for (let revision = 0; !isOver; revision++) {
      const id = await drover.upload(customers(lane * size, size, revision), tenant);
      ids[lane] = id;
      await drover.ended([id]);
    }
  });
  while (ids.filter(Boolean).length < LOAD) await sleep(5);
  const result = await measure(ids, tenant);
  isOver = true;
  await Promise.all(lanes);
  return result;
}
