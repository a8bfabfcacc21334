import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMsOf, residentMb, summarize } from '../../../testkit/measure.ts';
import { customers, REGIONS, regionCode } from '../../data/customers.ts';
import { type Figure, ratio } from '../../figures/figures.ts';
import { type MeasuredInstallation, secondsUntilEnd } from '../../installation/measured-installation.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';
import { uploadAtOnce } from '../write/upload-10x1000.ts';

const PENDING = [0, 1_000, 10_000, 100_000];
const BATCHES_AT_ONCE = 8;
/** Long enough, over all rounds, that recovery checks the waiting batches, which it does every 20 s. */
const IDLE_WINDOW_MS = 6_000;
const SETTLE_MS = 3_000;

/** More and more items that wait: an idle worker stays idle, uploads stay as fast, and all items are applied when the missing resources are uploaded. */
export const growthPending: Benchmark = {
  name: 'growth-pending',
  about: `0 to 100,000 pending items, 1000 a batch, that wait for ${REGIONS} resources`,
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const late = await drover.newTenant();
      const plain = await drover.newTenant();
      for (let n = 0; n < 3; n++) await uploadAtOnce(drover, plain, 10, bench.size(1000));
      const waiting: string[] = [];
      const figures: Figure[] = [];
      let pending = 0;
      for (const full of PENDING) {
        const wanted = full === 0 ? 0 : bench.size(full);
        waiting.push(...(await addPending(bench, drover, late, pending, wanted)));
        pending = wanted;
        await sleep(SETTLE_MS);
        figures.push(...(await measureBeside(bench, drover, plain, pending)));
      }
      const released = await release(drover, late, waiting, pending);
      const idle = figures.filter(({ series }) => series === 'CPU of the idle worker');
      const speeds = figures.filter(({ series }) => series === 'upload beside them');
      const none = summarize(speeds[0]?.values ?? []).median;
      return [
        ...figures,
        {
          name: 'idle CPU, 100,000 pending more than none',
          unit: 'ms a second',
          values: (idle.at(-1)?.values ?? []).map((used, round) => used - (idle[0]?.values[round] ?? 0)),
          target: { atMost: 5 },
        },
        ratio('upload, 100,000 pending by none', speeds.at(-1) as Figure, speeds[0] as Figure),
        {
          name: `release of all ${pending.toLocaleString('en-US')}`,
          unit: 'resources/s',
          values: [released],
          note: 'once',
        },
        {
          name: 'release by plain upload',
          unit: 'x',
          values: [released / none],
          target: { atLeast: 0.5 },
          note: 'once',
        },
      ];
    }),
};

/** Customers that refer to regions which are not there yet. */
async function addPending(
  bench: Bench,
  drover: MeasuredInstallation,
  tenant: string,
  from: number,
  to: number,
): Promise<string[]> {
  const size = bench.size(1000);
  const starts = Array.from({ length: Math.ceil((to - from) / size) }, (_, n) => from + n * size);
  const ids: string[] = [];
  while (starts.length > 0) {
    const some = starts.splice(0, BATCHES_AT_ONCE);
    const started = await Promise.all(
      some.map((start) =>
        drover.upload(
          customers(start, Math.min(size, to - start)).map(waitingForLate),
          tenant,
          '?dependencyWaitTimeout=86400',
        ),
      ),
    );
    await drover.waiting(started);
    ids.push(...started);
  }
  return ids;
}

const waitingForLate = (customer: { readonly region: string }) => ({ ...customer, region: `late-${customer.region}` });

async function measureBeside(
  bench: Bench,
  drover: MeasuredInstallation,
  tenant: string,
  pending: number,
): Promise<Figure[]> {
  const { worker } = drover;
  const label = `${pending.toLocaleString('en-US')} pending`;
  const idle = await bench.inRounds(async () => {
    const before = cpuMsOf(worker);
    await sleep(IDLE_WINDOW_MS);
    const used = ((cpuMsOf(worker) - before) * 1000) / IDLE_WINDOW_MS;
    return [
      {
        name: `CPU of the idle worker, ${label}`,
        unit: 'ms a second',
        values: [used],
        at: pending,
        series: 'CPU of the idle worker',
      },
    ];
  });
  const memory = {
    name: `memory of the worker, ${label}`,
    unit: 'MB',
    values: [residentMb(worker)],
    at: pending,
    series: 'memory of the worker',
  };
  const speed = await bench.inRounds(async (round) => {
    const upload = await uploadAtOnce(drover, tenant, 10, bench.size(1000), { revision: pending + round + 1 });
    return [
      { name: `upload, ${label}`, unit: 'resources/s', values: [upload], at: pending, series: 'upload beside them' },
    ];
  });
  return [...idle, memory, ...speed];
}

/** Uploads all that is missing in one batch. @returns resources/s until the last one that waited is there. */
async function release(
  drover: MeasuredInstallation,
  tenant: string,
  waiting: readonly string[],
  pending: number,
): Promise<number> {
  const resources = Array.from({ length: REGIONS }, (_, n) => ({
    code: `late-${regionCode(n)}`,
    name: `Late region ${n}`,
  }));
  const since = Date.now();
  await drover.start('POST', 'region', JSON.stringify({ resources }), tenant);
  return pending / secondsUntilEnd(since, await drover.ended(waiting));
}
