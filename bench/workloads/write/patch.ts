import { secondsUntilEnd } from '../../installation/measured-installation.ts';
import type { Benchmark } from '../../run/bench.ts';

const BATCHES = 10;

/** One field of each of 10,000 stored resources. */
export const patch: Benchmark = {
  name: 'patch',
  about: '10 batches at once, each with patches of 1000 stored resources',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const size = bench.size(1000);
      return bench.inRounds(async (round) => {
        const tenant = await drover.newTenant();
        await drover.storeCustomers(tenant, 0, BATCHES * size);
        const bodies = Array.from({ length: BATCHES }, (_, batch) =>
          JSON.stringify({
            resources: Array.from({ length: size }, (_, n) => ({
              id: `customer-${batch * size + n}`,
              name: `Patched in round ${round}`,
            })),
          }),
        );
        const since = Date.now();
        const ids = await Promise.all(bodies.map((body) => drover.start('PATCH', 'customer', body, tenant)));
        const seconds = secondsUntilEnd(since, await drover.ended(ids));
        return [{ name: 'patches', unit: 'resources/s', values: [(BATCHES * size) / seconds] }];
      });
    }),
};
