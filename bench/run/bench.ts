import type { Servers } from '../../embedded/servers.ts';
import { cpuMsOf } from '../../testkit/measure.ts';
import type { Figure } from '../figures/figures.ts';
import { type Contestant, MeasuredInstallation, type MeasuredOptions } from '../installation/measured-installation.ts';
import type { Turns } from './turns.ts';

/** One benchmark: its name on the command line, and how its figures come about. */
export interface Benchmark {
  readonly name: string;
  readonly about: string;
  /** Takes so long that it is run only where its name is given. */
  readonly onlyByName?: true;
  run(bench: Bench): Promise<readonly Figure[]>;
}

/** A benchmark that cannot be run here; the message says why. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** What a benchmark works with. */
export class Bench {
  readonly servers: Servers;
  readonly contestant: Contestant;
  /** Folder with the peers, and what else runs in processes of its own, as JavaScript: of this version, whatever is measured. */
  readonly build: string;
  readonly rounds: number;
  readonly scale: number;
  readonly say: (line: string) => void;
  readonly #turns: Turns;
  /** Of the process that is the network, in ms a second: a value a round. */
  readonly #networkCpu: number[] = [];

  constructor(
    parts: Pick<Bench, 'servers' | 'contestant' | 'build' | 'rounds' | 'scale' | 'say'> & { readonly turns: Turns },
  ) {
    this.servers = parts.servers;
    this.contestant = parts.contestant;
    this.build = parts.build;
    this.rounds = parts.rounds;
    this.scale = parts.scale;
    this.say = parts.say;
    this.#turns = parts.turns;
  }

  /** A size at the scale of this run, at least 1. */
  size(full: number): number {
    return Math.max(1, Math.round(full * this.scale));
  }

  /** An installation of its own: a database, a task queue, an API process and workers; it ends with `use`. */
  async withInstallation<T>(
    use: (installation: MeasuredInstallation) => Promise<T>,
    options: MeasuredOptions = {},
  ): Promise<T> {
    const installation = await MeasuredInstallation.start(this.servers, this.contestant, options);
    try {
      return await use(installation);
    } finally {
      await installation.stop();
    }
  }

  /**
   * Does something once a round and collects the figures of each: the same names each time. Where several contestants are measured,
   * a round of one follows a round of the other.
   */
  async inRounds(measure: (round: number) => Promise<readonly Figure[]>): Promise<Figure[]> {
    const figures = new Map<string, { figure: Figure; values: number[] }>();
    for (let round = 0; round < this.rounds; round++) {
      await this.#turns.next();
      for (const figure of await this.#withNetwork(() => measure(round))) {
        const known = figures.get(figure.name);
        if (known) known.values.push(...figure.values);
        else figures.set(figure.name, { figure, values: [...figure.values] });
      }
    }
    return [...figures.values()].map(({ figure, values }) => ({ ...figure, values }));
  }

  /** The network is a process on the same machine: what it took from the rest. */
  networkFigures(): Figure[] {
    const { network } = this.contestant;
    if (network === null) return [];
    return [
      { name: 'round trip added by the network, idle', unit: 'ms', values: [network.addedMs] },
      { name: 'CPU of the network', unit: 'ms a second', values: this.#networkCpu },
    ];
  }

  async #withNetwork(measure: () => Promise<readonly Figure[]>): Promise<readonly Figure[]> {
    const { network } = this.contestant;
    if (network === null) return measure();
    const before = { at: performance.now(), cpu: cpuMsOf(network.process) };
    const figures = await measure();
    this.#networkCpu.push((1000 * (cpuMsOf(network.process) - before.cpu)) / (performance.now() - before.at));
    return figures;
  }
}
