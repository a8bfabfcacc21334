import { customers } from '../../data/customers.ts';
import type { Figure } from '../../figures/figures.ts';
import { secondsUntilEnd } from '../../installation/measured-installation.ts';
import type { Benchmark } from '../../run/bench.ts';

/** One batch of 1000 alone: of new resources, then of the same ones with changes. */
export const upload1000: Benchmark = {
  name: 'upload-1000',
  about: 'one batch of 1000 resources alone, from the request to the last outcome',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const size = bench.size(1000);
      const time = async (tenant: string, revision: number): Promise<number> => {
        const body = JSON.stringify({ resources: customers(0, size, revision) });
        const since = Date.now();
        return secondsUntilEnd(since, await drover.ended([await drover.start('POST', 'customer', body, tenant)]));
      };
      const warm = await drover.newTenant();
      for (let revision = 0; revision < 4; revision++) await time(warm, revision);
      return bench.inRounds(async (): Promise<Figure[]> => {
        const tenant = await drover.newTenant();
        const fresh = await time(tenant, 0);
        const again = await time(tenant, 1);
        return [
          { name: 'new', unit: 'resources/s', values: [size / fresh] },
          { name: 'upsert of existing', unit: 'resources/s', values: [size / again] },
          { name: 'new, time', unit: 's', values: [fresh] },
        ];
      });
    }),
};
