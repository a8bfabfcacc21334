import type { Benchmark } from '../bench.ts';
import { customerSeeds, storeSeeds } from '../data/seed.ts';
import { inRounds } from '../figures.ts';
import { type Installation, secondsUntilEnd } from '../installation.ts';

/** Deletes 10,000 resources by their ids, in one batch. */
export const deleteByIds: Benchmark = {
  name: 'delete-ids',
  about: 'one batch that deletes 10,000 resources by id',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const count = bench.size(10_000);
      const externalIds = Array.from({ length: count }, (_, n) => `customer-${n}`);
      return inRounds(bench.rounds, async () => {
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
      return inRounds(bench.rounds, async () => {
        const tenant = await tenantOfCustomers(drover, count);
        const seconds = await timeOfDelete(drover, tenant, 'customer', { deleteAll: true });
        return [
          { name: 'deletions', unit: 'resources/s', values: [count / seconds] },
          { name: 'time', unit: 's', values: [seconds] },
        ];
      });
    }),
};

async function tenantOfCustomers(drover: Installation, count: number): Promise<string> {
  const tenant = await drover.newTenant();
  const scope = drover.scope(tenant);
  await storeSeeds(
    drover.database,
    scope,
    drover.idOf('customer'),
    customerSeeds(scope, drover.idOf('region'), 0, count),
  );
  return tenant;
}

/** @returns seconds. */
export async function timeOfDelete(
  drover: Installation,
  tenant: string,
  schema: string,
  request: object,
): Promise<number> {
  const since = Date.now();
  const id = await drover.start('DELETE', schema, JSON.stringify(request), tenant);
  return secondsUntilEnd(since, await drover.ended([id]));
}
