import type { Figure } from '../../figures/figures.ts';
import type { Benchmark } from '../../run/bench.ts';
import { uploadAtOnce } from '../write/upload-10x1000.ts';

const AT_ONCE = [1, 10, 100];

/** More and more batches at once. */
export const growthBatches: Benchmark = {
  name: 'growth-batches',
  about: '1, 10 and 100 batches of 1000 new resources at once',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const size = bench.size(1000);
      for (let n = 0; n < 3; n++) await uploadAtOnce(drover, await drover.newTenant(), 10, size);
      const figures: Figure[] = [];
      for (const batches of AT_ONCE) {
        const measured = await bench.inRounds(async () => {
          const speed = await uploadAtOnce(drover, await drover.newTenant(), batches, size);
          return [{ name: `${batches} at once`, unit: 'resources/s', values: [speed], at: batches, series: 'upload' }];
        });
        figures.push(...measured);
      }
      return figures;
    }),
};
