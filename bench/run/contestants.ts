import type { Servers } from '../../embedded/servers.ts';
import { compare, type Measured } from '../figures/comparison.ts';
import type { Section } from '../figures/report.ts';
import type { Contestant } from '../installation/measured-installation.ts';
import { type Network, startNetwork } from '../installation/network.ts';
import type { Version } from '../installation/version.ts';
import { Bench, type Benchmark, Skipped } from './bench.ts';
import { Turns } from './turns.ts';

/** Two of them that differ in one thing: the first is compared with the second. */
type Pair = readonly [of: Contestant, by: Contestant];

/** What a run measures, one beside the other. */
export interface Contestants {
  readonly all: readonly Contestant[];
  readonly pairs: readonly Pair[];
  stop(): Promise<void>;
}

/** Each version next to the servers and, where a delay is given, behind a network that has it. */
export async function prepareContestants(
  versions: readonly [Version, ...Version[]],
  servers: Servers,
  networkMs: number | null,
): Promise<Contestants> {
  const networks: Network[] = [];
  const pairs: Pair[] = [];
  const all: Contestant[] = [];
  let first: readonly Contestant[] = [];
  for (const version of versions) {
    const near: Contestant = { name: version.name, version, network: null };
    const own = [near];
    if (networkMs !== null) {
      const network = await startNetwork(servers, networkMs);
      networks.push(network);
      own.unshift({ name: `${version.name}, ${networkMs} ms of network`, version, network });
      pairs.push([own[0] ?? near, near]);
    }
    for (const [n, one] of first.entries()) pairs.push([one, own[n] ?? near]);
    if (first.length === 0) first = own;
    all.push(...own);
  }
  return {
    all,
    pairs,
    stop: async () => {
      for (const network of networks) await network.stop();
    },
  };
}

/** Runs a benchmark for all of them, alternating round by round. */
export async function measure(
  { name, about, run }: Benchmark,
  { all, pairs }: Contestants,
  parts: Omit<ConstructorParameters<typeof Bench>[0], 'contestant' | 'turns'>,
): Promise<Section> {
  const turns = new Turns();
  const skipped: string[] = [];
  const measureOne = async (contestant: Contestant): Promise<Measured> => {
    const bench = new Bench({ ...parts, contestant, turns });
    await turns.take();
    try {
      const figures = await run(bench);
      return { contestant: contestant.name, figures: [...figures, ...bench.networkFigures()] };
    } catch (error) {
      skipped.push(all.length > 1 ? `${contestant.name}: ${reasonOf(error, parts.say)}` : reasonOf(error, parts.say));
      return { contestant: contestant.name, figures: [] };
    } finally {
      turns.leave();
    }
  };
  const measured = await Promise.all(all.map(measureOne));
  const figuresOf = ({ name: wanted }: Contestant): Measured =>
    measured.find(({ contestant }) => contestant === wanted) ?? { contestant: wanted, figures: [] };
  return {
    name,
    about,
    measured,
    comparisons: pairs.map(([of, by]) => compare(figuresOf(of), figuresOf(by))),
    ...(skipped.length > 0 && { skipped: skipped.join('; ') }),
  };
}

function reasonOf(error: unknown, say: (line: string) => void): string {
  if (error instanceof Skipped) return error.message;
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return `failed: ${error instanceof Error ? error.message : error}`;
}
