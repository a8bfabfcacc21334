import type { Benchmark } from '../bench.ts';
import { inRounds } from '../figures.ts';
import { residentMb } from '../processes.ts';
import { uploadAtOnce } from './upload-10x1000.ts';

/** What a worker holds, round after round: it is to stay flat. */
export const memory: Benchmark = {
  name: 'memory',
  about: 'resident memory of one worker: after its start, and after 10,000 resources in 10 batches, again and again',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const pid = drover.workers[0]?.pid ?? 0;
      const start = residentMb(pid);
      const figures = await inRounds(bench.rounds, async () => {
        await uploadAtOnce(drover, await drover.newTenant(), 10, bench.size(1000));
        return [
          { name: 'worker after 10,000 more', unit: 'MB', values: [residentMb(pid)] },
          { name: 'API after 10,000 more', unit: 'MB', values: [residentMb(drover.api.pid)] },
        ];
      });
      return [{ name: 'worker after its start', unit: 'MB', values: [start] }, ...figures];
    }),
};
