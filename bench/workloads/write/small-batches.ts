import { type Figure, ratio } from '../../figures/figures.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';
import { Peer } from '../peers/peer.ts';
import { uploadAtOnce } from './upload-10x1000.ts';

const SIZE = 10;

/** What a batch costs beside its resources, beside the least that a workflow can be. */
export const smallBatches: Benchmark = {
  name: 'small-batches',
  about: `100 batches of ${SIZE} resources at once`,
  run: async (bench) => {
    const empty = await Peer.start(bench, 'empty', 'empty-batches');
    try {
      return await beside(bench, empty);
    } finally {
      await empty.stop();
    }
  },
};

function beside(bench: Bench, empty: Peer): Promise<Figure[]> {
  const batches = bench.size(100);
  const emptyBatches = async (tenant: string) => (await empty.speed({ tenant, batches, size: SIZE })) / SIZE;
  return bench.withInstallation(async (drover) => {
    await uploadAtOnce(drover, await drover.newTenant(), batches, SIZE);
    await emptyBatches('first');
    const [speed, least] = [figure('batches'), figure('workflows of one local activity that does nothing')];
    const figures = await bench.inRounds(async (round) => {
      const resources = await uploadAtOnce(drover, await drover.newTenant(), batches, SIZE);
      return [
        { name: 'resources', unit: 'resources/s', values: [resources] },
        { ...speed, values: [resources / SIZE] },
        { ...least, values: [await emptyBatches(`round-${round}`)] },
      ];
    });
    const named = (name: string): Figure => figures.find((one) => one.name === name) as Figure;
    return [...figures, ratio('batches by empty workflows', named(speed.name), named(least.name))];
  });
}

const figure = (name: string) => ({ name, unit: 'batches/s' });
