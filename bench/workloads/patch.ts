import type { Benchmark } from '../bench.ts';
import { customerSeeds, storeSeeds } from '../data/seed.ts';
import { inRounds } from '../figures.ts';
import { secondsUntilEnd } from '../installation.ts';

const BATCHES = 10;

/** One field of each of 10,000 stored resources. */
export const patch: Benchmark = {
  name: 'patch',
  about: '10 batches at once, each with patches of 1000 stored resources',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const size = bench.size(1000);
      return inRounds(bench.rounds, async (round) => {
        const tenant = await drover.newTenant();
        const scope = drover.scope(tenant);
        const seeds = customerSeeds(scope, drover.idOf('region'), 0, BATCHES * size);
        await storeSeeds(drover.database, scope, drover.idOf('customer'), seeds);
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
