import { percentile } from '../../../testkit/measure.ts';
import { customers } from '../../data/customers.ts';
import { type Figure, ratio } from '../../figures/figures.ts';
import { type MeasuredInstallation, secondsUntilEnd } from '../../installation/measured-installation.ts';
import { type Network, startNetwork } from '../../installation/network.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';
import { cpuOf, processesOf, serversOf } from '../cost/cpu.ts';
import { uploadInFlight } from '../write/upload-10x1000.ts';
import type { Peer } from './peer.ts';
import { CHUNK, type Peers, startPeers } from './started-peers.ts';

const IN_FLIGHT = 10;
/** Batches of a round: enough for the time in which not all ten are under way yet, or any more, to count little. */
const BATCHES = 40;
/** Of those who are slower, or have to show less. */
const FEWER_BATCHES = 20;
/** Batches that are measured alone, one after the other, in a round. */
const ALONE = 10;
/** Share of the resources that the prototype gets: it is so slow. */
const PROTOTYPE_SHARE = 0.025;
const NETWORK_MS = 1;

/** The same upload by those who do less, round by round in one run: what durability costs, and what fanning out does. */
export const peers: Benchmark = {
  name: 'peers',
  about: `batches of 1000 new resources, ${IN_FLIGHT} in flight, the same checks, the same MongoDB; ratios are the result`,
  run: async (bench) => {
    const others = await startPeers(bench);
    try {
      const figures = await withOwn(bench, (own) => measureAll(bench, own, others));
      return [...figures, ...ratiosOf(figures)];
    } finally {
      await others.stop();
    }
  },
};

/** Drover in several ways. */
interface Own {
  readonly byDefault: MeasuredInstallation;
  readonly inHundreds: MeasuredInstallation;
  readonly oneByOne: MeasuredInstallation;
  /** Absent where the whole run has a network. */
  readonly farAway: MeasuredInstallation | null;
}

async function withOwn<T>(bench: Bench, use: (own: Own) => Promise<T>): Promise<T> {
  const perActivity = (size: number) => ({ environment: { RESOURCES_PER_ACTIVITY: String(size) } });
  return bench.withInstallation((byDefault) =>
    bench.withInstallation(
      (inHundreds) =>
        bench.withInstallation(
          (oneByOne) => withNetwork(bench, (farAway) => use({ byDefault, inHundreds, oneByOne, farAway })),
          perActivity(1),
        ),
      perActivity(100),
    ),
  );
}

async function withNetwork<T>(bench: Bench, use: (drover: MeasuredInstallation | null) => Promise<T>): Promise<T> {
  if (bench.contestant.network !== null) return use(null);
  const network: Network = await startNetwork(bench.servers, NETWORK_MS);
  try {
    return await bench.withInstallation(use, { servers: { api: network.addresses, worker: network.addresses } });
  } finally {
    await network.stop();
  }
}

/** Names of figures that ratios are taken of. */
const NAMES = {
  own: 'Drover',
  existing: 'Drover, upserts of existing',
  hundreds: 'Drover, 100 an activity',
  ones: 'Drover, 1 an activity',
  farAway: `Drover, ${NETWORK_MS} ms of network`,
  ownAlone: 'Drover, a batch alone',
  ownCpu: 'Drover, CPU for 1000',
  plain: 'plain loop',
  plainPages: 'plain loop, stored as we store',
  plainAlone: 'plain loop, a batch alone',
  plainCpu: 'plain loop, CPU for 1000',
  chunks: `BullMQ, ${CHUNK} a job`,
  jobs: 'BullMQ, 1 a job',
  prototype: 'Temporal, 1 an activity',
} as const;

async function measureAll(bench: Bench, own: Own, others: Peers): Promise<Figure[]> {
  await measureOwn(bench, own);
  await measureOthers(bench, others);
  return bench.inRounds(async () => [...(await measureOwn(bench, own)), ...(await measureOthers(bench, others))]);
}

const speed = (name: string, value: number): Figure => ({ name, unit: 'resources/s', values: [value] });

async function measureOwn(bench: Bench, { byDefault, inHundreds, oneByOne, farAway }: Own): Promise<Figure[]> {
  const size = bench.size(1000);
  const tenant = await byDefault.newTenant();
  const uploads = { batches: BATCHES, width: IN_FLIGHT, size };
  const fewer = { ...uploads, batches: FEWER_BATCHES };
  const fresh = await cpuOf(processesOf(bench, byDefault), () => uploadInFlight(byDefault, tenant, uploads));
  const existing = await uploadInFlight(byDefault, tenant, { ...uploads, revision: 1 });
  const hundreds = await uploadInFlight(inHundreds, await inHundreds.newTenant(), fewer);
  const ones = await uploadInFlight(oneByOne, await oneByOne.newTenant(), { ...uploads, batches: 1 });
  const distant = farAway && (await uploadInFlight(farAway, await farAway.newTenant(), fewer));
  return [
    speed(NAMES.own, fresh.result),
    speed(NAMES.existing, existing),
    speed(NAMES.hundreds, hundreds),
    speed(NAMES.ones, ones),
    ...(distant === null ? [] : [speed(NAMES.farAway, distant)]),
    { name: NAMES.ownAlone, unit: 'ms', values: [await msAlone(byDefault, size)] },
    { name: NAMES.ownCpu, unit: 'ms', values: [(fresh.total * 1000) / (BATCHES * size)] },
  ];
}

/** Median of several, each from the request to its end. */
async function msAlone(drover: MeasuredInstallation, size: number): Promise<number> {
  const tenant = await drover.newTenant();
  const times: number[] = [];
  for (let n = 0; n < ALONE; n++) {
    const body = JSON.stringify({ resources: customers(n * size, size) });
    const since = Date.now();
    times.push(
      1000 * secondsUntilEnd(since, await drover.ended([await drover.start('POST', 'customer', body, tenant)])),
    );
  }
  return percentile(times, 0.5);
}

async function measureOthers(bench: Bench, others: Peers): Promise<Figure[]> {
  const size = bench.size(1000);
  const { plainLoop } = others;
  const measured = await cpuOf({ 'plain loop': [plainLoop], ...serversOf(bench) }, () =>
    speedOf(plainLoop, BATCHES, size),
  );
  const alone: number[] = [];
  for (let n = 0; n < ALONE; n++) alone.push((1000 * size) / (await speedOf(plainLoop, 1, size)));
  const figures = [
    speed(NAMES.plain, measured.result),
    speed(NAMES.plainPages, await speedOf(others.plainPages, BATCHES, size)),
    { name: NAMES.plainAlone, unit: 'ms', values: [percentile(alone, 0.5)] },
    { name: NAMES.plainCpu, unit: 'ms', values: [(measured.total * 1000) / (BATCHES * size)] },
  ];
  if (others.bullmqInChunks) figures.push(speed(NAMES.chunks, await speedOf(others.bullmqInChunks, BATCHES, size)));
  if (others.bullmqOneByOne) figures.push(speed(NAMES.jobs, await speedOf(others.bullmqOneByOne, BATCHES, size)));
  const some = Math.max(1, Math.round(size * PROTOTYPE_SHARE));
  figures.push(speed(NAMES.prototype, await speedOf(others.prototype, BATCHES, some)));
  return figures;
}

let tenants = 0;

/** In a tenant of its own. */
function speedOf(peer: Peer, batches: number, size: number): Promise<number> {
  tenants += 1;
  return peer.speed({ tenant: `tenant-${tenants}`, batches, size });
}

interface Wanted {
  readonly name: string;
  readonly of: string;
  readonly by: string;
  readonly about?: Pick<Figure, 'target' | 'note'>;
}

/** What is to be reached, and what one wants to know beside it. */
const RATIOS: readonly Wanted[] = [
  { name: 'default fan-out by plain loop', of: NAMES.own, by: NAMES.plain, about: { target: { atLeast: 0.55 } } },
  {
    name: `default fan-out by BullMQ, ${CHUNK} a job`,
    of: NAMES.own,
    by: NAMES.chunks,
    about: { target: { atLeast: 0.8 }, note: 'the aim beyond is 1' },
  },
  { name: '100 an activity by plain loop', of: NAMES.hundreds, by: NAMES.plain, about: { target: { atLeast: 0.45 } } },
  {
    name: '1 an activity by the prototype of one activity each',
    of: NAMES.ones,
    by: NAMES.prototype,
    about: { target: { atLeast: 3 } },
  },
  {
    name: 'a batch alone by plain loop, time',
    of: NAMES.ownAlone,
    by: NAMES.plainAlone,
    about: { target: { atMost: 1.6 } },
  },
  {
    name: 'CPU for 1000 by plain loop',
    of: NAMES.ownCpu,
    by: NAMES.plainCpu,
    about: { target: { atMost: 2.2 }, note: 'with that of the servers' },
  },
  {
    name: `with ${NETWORK_MS} ms of network by without`,
    of: NAMES.farAway,
    by: NAMES.own,
    about: { target: { atLeast: 0.7 } },
  },
  {
    name: 'upserts of existing by new',
    of: NAMES.existing,
    by: NAMES.own,
    about: { target: { atLeast: 0.6 }, note: "counts on a server where the server's work weighs most" },
  },
  { name: 'default fan-out by plain loop, stored as we store', of: NAMES.own, by: NAMES.plainPages },
  { name: 'default fan-out by BullMQ, 1 a job', of: NAMES.own, by: NAMES.jobs },
  { name: 'default fan-out by the prototype of one activity each', of: NAMES.own, by: NAMES.prototype },
];

/** Those of figures that are there. */
function ratiosOf(figures: readonly Figure[]): Figure[] {
  const named = new Map(figures.map((figure) => [figure.name, figure]));
  return RATIOS.flatMap(({ name, of, by, about }) => {
    const [one, other] = [named.get(of), named.get(by)];
    return one && other ? [ratio(name, one, other, about)] : [];
  });
}
