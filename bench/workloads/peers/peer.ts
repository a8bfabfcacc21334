import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { dropDatabase, newDatabaseName } from '../../installation/databases.ts';
import { untilStopped } from '../../installation/started.ts';
import type { Job } from '../../peers/run-items.ts';
import type { Bench } from '../../run/bench.ts';

/** Another program that does the same work, in processes of its own, which end with this one. */
export class Peer {
  readonly #bench: Bench;
  readonly #database: string;
  readonly #process: ChildProcess;
  /** Ends it. Safe to repeat. */
  readonly stop: () => Promise<void> = untilStopped(() => this.#stop());

  private constructor(bench: Bench, database: string, process: ChildProcess) {
    this.#bench = bench;
    this.#database = database;
    this.#process = process;
  }

  /** @param script of `peers/`. */
  static async start(
    bench: Bench,
    name: string,
    script: string,
    environment: Record<string, string> = {},
  ): Promise<Peer> {
    const database = newDatabaseName(name);
    const child = fork(`${bench.build}/bench/peers/${script}.js`, {
      execArgv: [],
      env: {
        ...process.env,
        MONGODB_URI: bench.servers.mongodbUri,
        MONGODB_DATABASE: database,
        TEMPORAL_ADDRESS: bench.servers.temporalAddress,
        QUEUE: database,
        ...environment,
      },
    });
    await answerOf(child);
    return new Peer(bench, database, child);
  }

  /** Of the process that starts the others, and is the only one of most. */
  get pid(): number | null {
    return this.#process.pid ?? null;
  }

  /** @returns resources/s of one job in which everything succeeds. */
  async speed(job: Job): Promise<number> {
    const answer = answerOf(this.#process);
    this.#process.send(job);
    const { seconds, error } = await answer;
    if (seconds === undefined) throw new Error(error);
    return (job.batches * job.size) / seconds;
  }

  async #stop(): Promise<void> {
    // a peer that ended by itself is gone already
    if (!this.#process.connected) return;
    const ended = once(this.#process, 'exit');
    this.#process.disconnect();
    await ended;
    await dropDatabase(this.#bench.servers.mongodbUri, this.#database);
  }
}

interface Answer {
  readonly seconds?: number;
  readonly error?: string;
}

/** @throws where the process ends instead. */
async function answerOf(child: ChildProcess): Promise<Answer> {
  const end = new AbortController();
  const { signal } = end;
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`a peer ended (${code})`);
  });
  ended.catch(() => undefined);
  try {
    const [answer] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Answer];
    return answer;
  } finally {
    end.abort();
  }
}
