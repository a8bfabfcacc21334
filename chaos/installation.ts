import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { startMongodb } from '../embedded/mongodb.ts';
import { startTemporal } from '../embedded/temporal.ts';
import { environmentFor } from '../testkit/installed.ts';
import { node, Program, type ProgramOptions } from '../testkit/program.ts';
import { TcpProxy } from '../testkit/proxy.ts';
import { bundleWorkflows } from '../testkit/workflow-bundle.ts';
import type { Victim } from './faults/killer.ts';
import { quietPorts } from './ports.ts';
import { Supervised } from './supervised.ts';
import type { Random } from './workload/random.ts';

/** Of its database and its task queue. */
const NAME = 'drover';
/** Short, so that what a killed worker has left goes on soon, in s. */
const ACTIVITY_TIMEOUT_SECONDS = 6;
/** How far the clocks of the workers are off, in ms: one is behind, one ahead. The API's is that of clients and servers. */
export const CLOCKS_OFF_MS = 30_000;
const WORKER_SHIFTS_MS = [-CLOCKS_OFF_MS, CLOCKS_OFF_MS];
/** Longest time after the faults until everything answers, in ms. */
const RECOVERY_MS = 60_000;
const SHIFTED_CLOCK = import.meta.resolve('./faults/shifted-clock.mjs');

export interface InstallationOptions {
  readonly random: Random;
  /** Folder for data and logs. */
  readonly folder: string;
  /** Folder of the sources to run. */
  readonly sources: string;
  readonly say: (line: string) => void;
}

/** Where the servers are, and where the proxies before them. */
interface Addresses {
  readonly mongodb: number;
  readonly temporal: number;
}

/**
 * A whole Drover in processes of its own, with proxies between them, all on ports that stay. What is started ends with `stop`,
 * and with this process, however that dies.
 */
export class Installation {
  /** Each with the mean time between its faults, in ms. */
  readonly proxies: { readonly proxy: TcpProxy; readonly meanMs: number }[] = [];
  readonly victims: Victim[] = [];
  readonly database = NAME;
  readonly #options: InstallationOptions;
  readonly #ports: number[];
  readonly #started: Array<() => Promise<void>> = [];
  readonly #servers: Addresses;
  readonly #apiPort: number;
  readonly #clientPort: number;

  private constructor(options: InstallationOptions, ports: readonly number[]) {
    this.#options = options;
    this.#ports = [...ports];
    this.#servers = { mongodb: this.#port(), temporal: this.#port() };
    this.#apiPort = this.#port();
    this.#clientPort = this.#port();
  }

  /** Returns when it can be used. */
  static async start(options: InstallationOptions): Promise<Installation> {
    const installation = new Installation(options, await quietPorts(options.random, 8));
    try {
      await installation.#startServers();
      await installation.#startApi();
      await installation.#startWorkers();
      await installation.recovered();
      return installation;
    } catch (error) {
      await installation.stop();
      throw error;
    }
  }

  /** Where clients call: through a proxy. */
  get clientUrl(): string {
    return `http://127.0.0.1:${this.#clientPort}`;
  }

  /** Where the checker calls. */
  get apiUrl(): string {
    return `http://127.0.0.1:${this.#apiPort}`;
  }

  get temporalAddress(): string {
    return `127.0.0.1:${this.#servers.temporal}`;
  }

  get mongodbUri(): string {
    return uriOf(this.#servers.mongodb);
  }

  /** Waits until everything is up and answers again. @throws where that does not come about. */
  async recovered(): Promise<void> {
    const deadline = Date.now() + RECOVERY_MS;
    for (;;) {
      const down = this.victims.flatMap(({ process }) => (process.isUp ? [] : [process.name]));
      if (down.length === 0 && (await this.#isReady())) return;
      if (Date.now() > deadline)
        throw new Error(`not recovered after ${RECOVERY_MS / 1000} s: ${down.join(', ') || '/readyz is not 200'}`);
      await sleep(100);
    }
  }

  /** Has recovery pass over everything now instead of within a minute. */
  async recoverNow(): Promise<void> {
    const connection = Connection.lazy({ address: `127.0.0.1:${this.#servers.temporal}` });
    try {
      await new Client({ connection }).workflow.start('recoveryWorkflow', {
        taskQueue: NAME,
        workflowId: `${NAME}-recovery-now`,
        workflowIdConflictPolicy: 'USE_EXISTING',
        args: [{ once: true }],
      });
    } catch (error) {
      this.#options.say(`recovery could not be started: ${error}`);
    } finally {
      await connection.close();
    }
  }

  /** Safe to repeat. */
  async stop(): Promise<void> {
    for (const end of this.#started.splice(0).reverse())
      await end().catch((error: unknown) => this.#options.say(`not stopped: ${error}`));
  }

  async #startServers(): Promise<void> {
    const { folder, say } = this.#options;
    const { mongodb, temporal } = this.#servers;
    const running = await startMongodb({ dataDir: folder, preferredPort: mongodb, say });
    this.#supervise(new Supervised('MongoDB', running.process), 2);
    if (running.uri !== uriOf(mongodb)) throw new Error(`port ${mongodb} was taken meanwhile`);
    const { process } = await startTemporal({
      dataDir: folder,
      preferredPort: temporal,
      namespace: 'default',
      ui: false,
      say,
    });
    this.#supervise(new Supervised('Temporal', process), 1);
  }

  async #startApi(): Promise<void> {
    const { folder, sources } = this.#options;
    const addresses = {
      mongodb: await this.#proxyTo('API to MongoDB', this.mongodbUri, 1_500),
      temporal: await this.#proxyTo('API to Temporal', this.temporalAddress, 4_000),
    };
    await this.#startProgram(2, {
      name: 'API',
      command: node(join(sources, 'api/main.ts')),
      environment: environmentAt(addresses, { PORT: String(this.#apiPort) }),
      log: join(folder, 'api.log'),
      ready: async () => void (await fetch(`${this.apiUrl}/healthz`)),
    });
    await this.#proxyTo('clients to API', this.apiUrl, 800, this.#clientPort);
  }

  async #startWorkers(): Promise<void> {
    const { folder, sources } = this.#options;
    const addresses = {
      mongodb: await this.#proxyTo('workers to MongoDB', this.mongodbUri, 300),
      temporal: await this.#proxyTo('workers to Temporal', this.temporalAddress, 5_000),
    };
    const bundle = await bundleWorkflows(sources, folder);
    for (const [at, shiftMs] of WORKER_SHIFTS_MS.entries()) {
      const number = at + 1;
      await this.#startProgram(3, {
        name: `worker ${number}`,
        command: node(join(sources, 'testkit/worker-process.ts'), ['--import', SHIFTED_CLOCK]),
        environment: environmentAt(addresses, { WORKFLOW_BUNDLE: bundle, CLOCK_SHIFT_MS: String(shiftMs) }),
        log: join(folder, `worker-${number}.log`),
        ready: /^ready$/,
      });
    }
  }

  async #startProgram(weight: number, options: ProgramOptions): Promise<void> {
    this.#supervise(new Supervised(options.name, await Program.start(options)), weight);
  }

  #supervise(process: Supervised, weight: number): void {
    this.victims.push({ process, weight });
    this.#started.push(() => process.stop());
  }

  /** @returns the port of the proxy. */
  async #proxyTo(name: string, to: string, meanMs: number, port = this.#port()): Promise<number> {
    const proxy = await TcpProxy.start({ name, to, port });
    this.proxies.push({ proxy, meanMs });
    this.#started.push(() => proxy.stop());
    return port;
  }

  async #isReady(): Promise<boolean> {
    return fetch(`${this.apiUrl}/readyz`, { signal: AbortSignal.timeout(3_000) }).then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  #port(): number {
    const port = this.#ports.shift();
    if (port === undefined) throw new Error('more ports are needed');
    return port;
  }
}

const uriOf = (port: number): string => `mongodb://127.0.0.1:${port}/?directConnection=true`;

const environmentAt = ({ mongodb, temporal }: Addresses, environment: Readonly<Record<string, string>>) =>
  environmentFor({
    mongodbUri: uriOf(mongodb),
    temporalAddress: `127.0.0.1:${temporal}`,
    name: NAME,
    environment: {
      ACTIVITY_TIMEOUT_SECONDS: String(ACTIVITY_TIMEOUT_SECONDS),
      LOG_LEVEL: 'warn',
      ...environment,
    },
  });
