import { type Figure, ratio } from '../../figures/figures.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';
import { uploadAtOnce } from '../write/upload-10x1000.ts';

const MILLION = 1_000_000;
const BATCHES = 10;
/** Numbers of uploaded resources: beyond all that is seeded. */
const FIRST_UPLOADED = 10_000_000;

/** The same upload beside more and more stored resources of the same tenant and schema definition. */
export const growthStored: Benchmark = {
  name: 'growth-stored',
  about: '10 batches of 1000 new resources at once, beside resources that are stored already',
  run: async (bench) => {
    const figures = await uploadsBeside(bench, [0, 100_000, MILLION]);
    const [none, some, most] = figures as [Figure, Figure, Figure];
    return [
      ...figures,
      ratio('100,000 by none', some, none),
      ratio('1,000,000 by none', most, none, { target: { atLeast: 0.9 } }),
    ];
  },
};

/** A figure for each number of stored resources, one after the other. */
function uploadsBeside(bench: Bench, counts: readonly number[]): Promise<Figure[]> {
  return bench.withInstallation(async (drover) => {
    const size = bench.size(1000);
    const tenant = await drover.newTenant();
    let uploaded = FIRST_UPLOADED;
    let stored = 0;
    const upload = async (): Promise<number> => {
      uploaded += BATCHES * size;
      return uploadAtOnce(drover, tenant, BATCHES, size, { from: uploaded });
    };
    for (let n = 0; n < 3; n++) await upload();
    const figures: Figure[] = [];
    for (const full of counts) {
      const wanted = full === 0 ? 0 : bench.size(full);
      await drover.storeCustomers(tenant, stored, wanted - stored);
      stored = wanted;
      await upload();
      const measured = await bench.inRounds(async () => [
        {
          name: `with ${wanted.toLocaleString('en-US')} stored`,
          unit: 'resources/s',
          values: [await upload()],
          at: wanted,
          series: 'upload',
        },
      ]);
      figures.push(...measured);
    }
    return figures;
  });
}
