import { customers } from '../../data/customers.ts';
import { type Figure, ratio } from '../../figures/figures.ts';
import { type MeasuredInstallation, secondsUntilEnd } from '../../installation/measured-installation.ts';
import type { Benchmark } from '../../run/bench.ts';
import { uploadAtOnce } from '../write/upload-10x1000.ts';

const BATCHES = 10;
const WAIT = '?dependencyWaitTimeout=86400';

/** 10,000 resources in 10 batches wait for one; it comes. */
export const wakeUp: Benchmark = {
  name: 'wake-up-10000',
  about: '10 batches of 1000 pending resources wait for one resource, which is uploaded',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const figures = await bench.inRounds(async () => {
        const plain = await uploadAtOnce(drover, await drover.newTenant(), BATCHES, bench.size(1000));
        const woken = await wakeAll(drover, await drover.newTenant(), BATCHES, bench.size(1000));
        return [
          { name: 'woken', unit: 'resources/s', values: [woken] },
          { name: 'plain upload', unit: 'resources/s', values: [plain] },
        ];
      });
      const [woken, plain] = figures as [Figure, Figure];
      return [...figures, ratio('woken by plain upload', woken, plain, { target: { atLeast: 0.5 } })];
    }),
};

/** Has batches wait for one region, and uploads it. @returns resources/s from the request for the region on. */
async function wakeAll(drover: MeasuredInstallation, tenant: string, batches: number, size: number): Promise<number> {
  const ids: string[] = [];
  for (let batch = 0; batch < batches; batch++) {
    ids.push(
      await drover.upload(
        customers(batch * size, size).map((customer) => ({ ...customer, region: 'late' })),
        tenant,
        WAIT,
      ),
    );
  }
  await drover.waiting(ids);
  const since = Date.now();
  await uploadRegion(drover, tenant, 'late');
  return (batches * size) / secondsUntilEnd(since, await drover.ended(ids));
}

const uploadRegion = (drover: MeasuredInstallation, tenant: string, code: string): Promise<string> =>
  drover.start('POST', 'region', JSON.stringify({ resources: [{ code, name: code }] }), tenant);

/** How long one pending resource still sleeps after the upload of what it waits for was requested. */
export const singleWakeUp: Benchmark = {
  name: 'wake-up-1',
  about: 'one resource waits in an idle system; from the request that uploads its dependency to its own outcome',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const tenant = await drover.newTenant();
      await wakeOne(drover, tenant, 'warm');
      return bench.inRounds(async (round) => {
        const values: number[] = [];
        for (let n = 0; n < WAKES; n++) values.push(await wakeOne(drover, tenant, `late-${round}-${n}`));
        return [{ name: 'wake-up', unit: 's', values, target: { atMost: 1 } }];
      });
    }),
};

/** In a round. */
const WAKES = 4;

async function wakeOne(drover: MeasuredInstallation, tenant: string, code: string): Promise<number> {
  const id = await drover.upload([{ id: `waits-for-${code}`, name: 'One who waits', region: code }], tenant, WAIT);
  await drover.waiting([id]);
  const since = Date.now();
  await uploadRegion(drover, tenant, code);
  return secondsUntilEnd(since, await drover.ended([id]));
}
