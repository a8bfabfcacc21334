import { type Figure, ratio } from '../../figures/figures.ts';
import { type Bench, type Benchmark, Skipped } from '../../run/bench.ts';
import { uploadInFlight } from '../write/upload-10x1000.ts';
import { Peer } from './peer.ts';
import { startRedis } from './redis.ts';

const IN_FLIGHT = 10;
/** Batches of a round: enough for the time in which not all ten are on their way yet, or any more, to count little. */
const BATCHES = 40;
/** One activity a resource is so slow that it gets this share of the resources. */
const ONE_BY_ONE_SHARE = 0.025;

/** The same upload by those who do less, round by round in one run: what durability costs. */
export const peers: Benchmark = {
  name: 'peers',
  about: `batches of 1000 new resources, ${IN_FLIGHT} in flight, the same checks, the same MongoDB; ratios are the result`,
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const others = await startPeers(bench);
      try {
        const upload = async (): Promise<number> =>
          uploadInFlight(drover, await drover.newTenant(), {
            batches: BATCHES,
            width: IN_FLIGHT,
            size: bench.size(1000),
          });
        await upload();
        for (const { peer, size } of others) await peer.speed({ tenant: 'warm', batches: IN_FLIGHT, size });
        const figures = await bench.inRounds(async (round): Promise<Figure[]> => {
          const own = await upload();
          const speeds: Figure[] = [{ name: 'Drover', unit: 'resources/s', values: [own] }];
          for (const { name, peer, size } of others) {
            speeds.push({
              name,
              unit: 'resources/s',
              values: [await peer.speed({ tenant: `round-${round}`, batches: BATCHES, size })],
            });
          }
          return speeds;
        });
        const [own, ...theirs] = figures as [Figure, ...Figure[]];
        return [
          ...figures,
          ...theirs.map((figure, n) => ratio(`Drover by ${figure.name}`, own, figure, { ...others[n]?.about })),
        ];
      } finally {
        for (const { stop } of others.toReversed()) await stop();
      }
    }),
};

interface StartedPeer {
  readonly name: string;
  readonly peer: Peer;
  readonly size: number;
  readonly about: Pick<Figure, 'target' | 'note'>;
  stop(): Promise<void>;
}

async function startPeers(bench: Bench): Promise<StartedPeer[]> {
  const size = bench.size(1000);
  const started: StartedPeer[] = [];
  const add = (name: string, peer: Peer, about: StartedPeer['about'], of = size): void =>
    void started.push({ name, peer, size: of, about, stop: () => peer.stop() });
  add('plain loop', await Peer.start(bench, 'plain', 'plain-loop', { STORAGE: 'documents' }), {
    target: { atLeast: 0.35 },
  });
  add('plain loop, stored as we store', await Peer.start(bench, 'plain-pages', 'plain-loop', { STORAGE: 'pages' }), {
    note: 'JSON text, 50 outcomes a document',
  });
  try {
    const redis = await startRedis();
    const bullmq = (items: number) =>
      Peer.start(bench, `bullmq-${items}`, 'bullmq', { REDIS_PORT: String(redis.port), ITEMS_PER_JOB: String(items) });
    const chunks = await bullmq(50);
    add('BullMQ, 50 a job', chunks, { note: 'aim: level with it' });
    const each = await bullmq(1);
    started.push({
      name: 'BullMQ, 1 a job',
      peer: each,
      size,
      about: { target: { atLeast: 3 } },
      stop: () => each.stop().then(redis.stop),
    });
  } catch (error) {
    if (!(error instanceof Skipped)) throw error;
    bench.say(`BullMQ: ${error.message}`);
  }
  const oneByOne = await Peer.start(bench, 'one-by-one', 'one-by-one');
  add(
    'Temporal, 1 an activity',
    oneByOne,
    { target: { atLeast: 20 } },
    Math.max(1, Math.round(size * ONE_BY_ONE_SHARE)),
  );
  return started;
}
