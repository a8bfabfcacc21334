import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { startMongodb } from '../../embedded/mongodb.ts';
import { startTemporal } from '../../embedded/temporal.ts';
import { Installation } from '../../testkit/installation.ts';
import { TcpProxy } from '../../testkit/proxy.ts';
import { bundleWorkflows } from '../../testkit/workflow-bundle.ts';
import type { Victim } from '../faults/killer.ts';
import type { Random } from '../workload/random.ts';
import { quietPorts } from './ports.ts';
import { Supervised } from './supervised.ts';

/** Of its database and its task queue. */
const NAME = 'drover';
/** Short, so that the activities of a killed worker are soon repeated, in s. */
const ACTIVITY_TIMEOUT_SECONDS = 6;
/** How far the clocks of the workers are off, in ms: one is behind, one ahead. The API's is that of clients and servers. */
export const CLOCKS_OFF_MS = 30_000;
const WORKER_SHIFTS_MS = [-CLOCKS_OFF_MS, CLOCKS_OFF_MS];
/** Longest time after the faults until everything answers, in ms. */
const RECOVERY_MS = 60_000;
const SHIFTED_CLOCK = import.meta.resolve('../faults/shifted-clock.mjs');

interface DisturbedInstallationOptions {
  readonly random: Random;
  /** Folder for data and logs. */
  readonly folder: string;
  /** Folder of the sources to run. */
  readonly sources: string;
  readonly say: (line: string) => void;
}

/**
 * A whole Drover in processes of its own, with proxies between them, all on ports that stay. What is started ends with `stop`,
 * and with this process, however that dies.
 */
export class DisturbedInstallation {
  /** Each with the mean time between its faults, in ms. */
  readonly proxies: { readonly proxy: TcpProxy; readonly meanMs: number }[] = [];
  readonly victims: Victim[] = [];
  readonly database = NAME;
  readonly #options: DisturbedInstallationOptions;
  readonly #ports: number[];
  readonly #started: Array<() => Promise<void>> = [];
  /** Ports of the servers. */
  readonly #servers: { readonly mongodb: number; readonly temporal: number };
  readonly #apiPort: number;
  readonly #clientPort: number;

  private constructor(options: DisturbedInstallationOptions, ports: readonly number[]) {
    this.#options = options;
    this.#ports = [...ports];
    this.#servers = { mongodb: this.#port(), temporal: this.#port() };
    this.#apiPort = this.#port();
    this.#clientPort = this.#port();
  }

  /** Returns when it can be used. */
  static async start(options: DisturbedInstallationOptions): Promise<DisturbedInstallation> {
    const installation = new DisturbedInstallation(options, await quietPorts(options.random, 8));
    try {
      await installation.#startServers();
      await installation.#startProcesses();
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
    return addressOf(this.#servers.temporal);
  }

  get mongodbUri(): string {
    return uriOf(this.#servers.mongodb);
  }

  /** Waits until everything is up and answers again. @throws if it does not within `RECOVERY_MS`. */
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

  /** Runs recovery now instead of within a minute. */
  async recoverNow(): Promise<void> {
    const connection = Connection.lazy({ address: this.temporalAddress });
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

  async #startProcesses(): Promise<void> {
    const { folder, sources } = this.#options;
    const drover = new Installation({
      name: NAME,
      program: sources,
      isCompiled: false,
      servers: {
        api: {
          mongodbUri: uriOf(await this.#proxyTo('API to MongoDB', this.mongodbUri, 1_500)),
          temporalAddress: addressOf(await this.#proxyTo('API to Temporal', this.temporalAddress, 4_000)),
        },
        worker: {
          mongodbUri: uriOf(await this.#proxyTo('workers to MongoDB', this.mongodbUri, 300)),
          temporalAddress: addressOf(await this.#proxyTo('workers to Temporal', this.temporalAddress, 5_000)),
        },
      },
      environment: { ACTIVITY_TIMEOUT_SECONDS: String(ACTIVITY_TIMEOUT_SECONDS), LOG_LEVEL: 'warn' },
      logs: folder,
    });
    const api = await drover.startApi({ port: this.#apiPort });
    this.#supervise(new Supervised(api.name, api), 2);
    await this.#proxyTo('clients to API', this.apiUrl, 800, this.#clientPort);
    const bundle = await bundleWorkflows(sources, folder);
    for (const shiftMs of WORKER_SHIFTS_MS) {
      const worker = await drover.startWorker({
        script: 'testkit/worker-process',
        environment: { WORKFLOW_BUNDLE: bundle, CLOCK_SHIFT_MS: String(shiftMs) },
        nodeOptions: ['--import', SHIFTED_CLOCK],
        ready: /^ready$/,
      });
      this.#supervise(new Supervised(worker.name, worker), 3);
    }
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

const addressOf = (port: number): string => `127.0.0.1:${port}`;
