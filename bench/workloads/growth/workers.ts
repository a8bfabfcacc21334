import type { Figure } from '../../figures/figures.ts';
import type { Benchmark } from '../../run/bench.ts';
import { uploadAtOnce } from '../write/upload-10x1000.ts';

const WORKERS = [1, 2, 4];
const BATCHES = 20;

/** More and more worker processes on this one machine. */
export const growthWorkers: Benchmark = {
  name: 'growth-workers',
  about: `1, 2 and 4 worker processes; ${BATCHES} batches of 1000 new resources at once`,
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const size = bench.size(1000);
      const figures: Figure[] = [];
      for (const workers of WORKERS) {
        while (drover.workers.length < workers) await drover.addWorker();
        // every worker has its validators and its machine code
        for (let n = 0; n < 2; n++) await uploadAtOnce(drover, await drover.newTenant(), BATCHES, size);
        const measured = await bench.inRounds(async () => {
          const speed = await uploadAtOnce(drover, await drover.newTenant(), BATCHES, size);
          return [{ name: `${workers} workers`, unit: 'resources/s', values: [speed], at: workers, series: 'upload' }];
        });
        figures.push(...measured);
      }
      return figures;
    }),
};
