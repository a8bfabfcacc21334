import type { Benchmark } from '../../run/bench.ts';
import { uploadAtOnce } from './upload-10x1000.ts';

/** What a batch costs beside its resources. */
export const smallBatches: Benchmark = {
  name: 'small-batches',
  about: '100 batches of 10 resources at once',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const batches = bench.size(100);
      await uploadAtOnce(drover, await drover.newTenant(), batches, 10);
      return bench.inRounds(async () => {
        const speed = await uploadAtOnce(drover, await drover.newTenant(), batches, 10);
        return [
          { name: 'resources', unit: 'resources/s', values: [speed] },
          { name: 'batches', unit: 'batches/s', values: [speed / 10] },
        ];
      });
    }),
};
