import { type MeasuredInstallation, secondsUntilEnd } from '../../installation/measured-installation.ts';
import type { Benchmark } from '../../run/bench.ts';

/** Deletes 10,000 resources by their ids, in one batch. */
export const deleteByIds: Benchmark = {
  name: 'delete-ids',
  about: 'one batch that deletes 10,000 resources by id',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const count = bench.size(10_000);
      const externalIds = Array.from({ length: count }, (_, n) => `customer-${n}`);
      return bench.inRounds(async () => {
        const tenant = await tenantOfCustomers(drover, count);
        return [
          {
            name: 'deletions',
            unit: 'resources/s',
            values: [count / (await timeOfDelete(drover, tenant, 'customer', { externalIds }))],
          },
        ];
      });
    }),
};

/** Deletes all of 100,000 resources. */
export const deleteAll: Benchmark = {
  name: 'delete-all',
  about: 'deleteAll of 100,000 resources',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const count = bench.size(100_000);
      return bench.inRounds(async () => {
        const tenant = await tenantOfCustomers(drover, count);
        const seconds = await timeOfDelete(drover, tenant, 'customer', { deleteAll: true });
        return [
          { name: 'deletions', unit: 'resources/s', values: [count / seconds] },
          { name: 'time', unit: 's', values: [seconds] },
        ];
      });
    }),
};

async function tenantOfCustomers(drover: MeasuredInstallation, count: number): Promise<string> {
  const tenant = await drover.newTenant();
  await drover.storeCustomers(tenant, 0, count);
  return tenant;
}

/** @returns seconds. */
export async function timeOfDelete(
  drover: MeasuredInstallation,
  tenant: string,
  schema: string,
  request: object,
): Promise<number> {
  const since = Date.now();
  const id = await drover.start('DELETE', schema, JSON.stringify(request), tenant);
  return secondsUntilEnd(since, await drover.ended([id]));
}
