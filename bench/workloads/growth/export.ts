import { residentMb } from '../../../testkit/measure.ts';
import { ratio } from '../../figures/figures.ts';
import type { Benchmark } from '../../run/bench.ts';

const MILLION = 1_000_000;
/** Bytes between two looks at the memory of the API. */
const LOOK_EVERY = 4 * 1024 * 1024;
const NEWLINE = 0x0a;

/** The export of a large schema definition: how fast, and what the API holds meanwhile. */
export const growthExport: Benchmark = {
  name: 'growth-export',
  about: 'all of 1,000,000 resources as NDJSON, and what the API process holds meanwhile',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const tenant = await drover.newTenant();
      const stored = bench.size(MILLION);
      await drover.storeCustomers(tenant, 0, stored);
      return bench.inRounds(async () => {
        const [before, since] = [residentMb(drover.api), performance.now()];
        let [lines, unseen, most] = [0, 0, before];
        for await (const chunk of (await drover.exported('customer', tenant)).body ?? []) {
          for (const byte of chunk) if (byte === NEWLINE) lines += 1;
          unseen += chunk.byteLength;
          if (unseen < LOOK_EVERY) continue;
          unseen = 0;
          most = Math.max(most, residentMb(drover.api));
        }
        const seconds = (performance.now() - since) / 1000;
        if (lines !== stored) throw new Error(`${lines} of ${stored} resources were exported`);
        const held = { name: 'API at most', unit: 'MB', values: [most] };
        const start = { name: 'API before', unit: 'MB', values: [before] };
        return [
          { name: 'export', unit: 'resources/s', values: [lines / seconds] },
          start,
          held,
          ratio('at most by before', held, start),
        ];
      });
    }),
};
