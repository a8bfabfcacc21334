import type { Benchmark } from '../bench.ts';
import { type Figure, inRounds } from '../figures.ts';
import { uploadAtOnce } from '../workloads/upload-10x1000.ts';

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
        const measured = await inRounds(bench.rounds, async () => {
          const speed = await uploadAtOnce(drover, await drover.newTenant(), BATCHES, size);
          return [{ name: `${workers} workers`, unit: 'resources/s', values: [speed], at: workers, series: 'upload' }];
        });
        figures.push(...measured);
      }
      return figures;
    }),
};
