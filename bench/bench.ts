import type { Servers } from '../embedded/servers.ts';
import type { Figure } from './figures.ts';
import { Installation, type InstallationOptions } from './installation.ts';

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
  /** Folder with service and peers as JavaScript. */
  readonly build: string;
  readonly rounds: number;
  readonly scale: number;
  readonly say: (line: string) => void;

  constructor(parts: Pick<Bench, 'servers' | 'build' | 'rounds' | 'scale' | 'say'>) {
    this.servers = parts.servers;
    this.build = parts.build;
    this.rounds = parts.rounds;
    this.scale = parts.scale;
    this.say = parts.say;
  }

  /** A size at the scale of this run, at least 1. */
  size(full: number): number {
    return Math.max(1, Math.round(full * this.scale));
  }

  /** An installation of its own: a database, a task queue, an API process and workers; it ends with `use`. */
  async withInstallation<T>(
    use: (installation: Installation) => Promise<T>,
    options: InstallationOptions = {},
  ): Promise<T> {
    const installation = await Installation.start(this.servers, this.build, options);
    try {
      return await use(installation);
    } finally {
      await installation.stop();
    }
  }
}
