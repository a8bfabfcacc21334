import { residentMb } from '../../../testkit/measure.ts';
import type { Benchmark } from '../../run/bench.ts';
import { uploadAtOnce } from '../write/upload-10x1000.ts';

/** What a worker holds, round after round: it is to stay flat. */
export const memory: Benchmark = {
  name: 'memory',
  about: 'resident memory of one worker: after its start, and after 10,000 resources in 10 batches, again and again',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const { worker } = drover;
      const start = residentMb(worker);
      const figures = await bench.inRounds(async () => {
        await uploadAtOnce(drover, await drover.newTenant(), 10, bench.size(1000));
        return [
          { name: 'worker after 10,000 more', unit: 'MB', values: [residentMb(worker)] },
          { name: 'API after 10,000 more', unit: 'MB', values: [residentMb(drover.api)] },
        ];
      });
      return [{ name: 'worker after its start', unit: 'MB', values: [start] }, ...figures];
    }),
};
