import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { freePort } from '../embedded/ports.ts';
import type { Config } from '../process/config.ts';
import { environmentFor } from './installed.ts';
import { node, Program } from './program.ts';

/** Where the servers of a process are: behind a proxy, perhaps. */
export interface ServerAddresses {
  readonly mongodbUri: string;
  readonly temporalAddress: string;
}

export interface InstallationOptions {
  /** Of its database and its task queue. */
  readonly name: string;
  /** Folder of the sources, or of the JavaScript that they are compiled to. */
  readonly program: string;
  /** Whether `program` holds JavaScript. */
  readonly isCompiled: boolean;
  /** The servers of each kind of process. */
  readonly servers: { readonly api: ServerAddresses; readonly worker: ServerAddresses };
  /** Of every process. The addresses above go before it. */
  readonly environment?: Readonly<NodeJS.ProcessEnv>;
  /** For the Node of every process, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
  /** Folder in which each process has a log file by its name. Default: the last of its output is kept in memory. */
  readonly logs?: string;
}

/** One process, on top of what all of them have. */
interface ProcessOptions {
  readonly environment?: Readonly<NodeJS.ProcessEnv>;
  readonly nodeOptions?: readonly string[];
}

interface ApiOptions extends ProcessOptions {
  /** Default: any that is free; it stays its own when it is started again. */
  readonly port?: number;
  /** Script of `program`, without its extension. Default `api/main`. */
  readonly script?: string;
}

export interface WorkerOptions extends ProcessOptions {
  /** Default `worker 1`, `worker 2`, …. */
  readonly name?: string;
  /** Script of `program`, without its extension. Default `worker/main`. */
  readonly script?: string;
  /** What it takes from the task queue. Default `all`. */
  readonly tasks?: Config['WORKER_TASKS'];
  /** As in `Program`. */
  readonly ready: RegExp | (() => Promise<void>);
}

/** `TASK_QUEUE_TYPE_WORKFLOW` and `TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API. */
const WORKFLOW_QUEUE = 1;
const ACTIVITY_QUEUE = 2;

/**
 * The processes of a Drover, API and workers, on servers that are already running. Its processes end with `stop`, and with
 * this process, however that dies.
 */
export class Installation {
  readonly workers: Program[] = [];
  readonly #options: InstallationOptions;
  #api: Program | undefined;
  #apiPort = 0;

  constructor(options: InstallationOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** @throws where none was started. */
  get api(): Program {
    if (this.#api === undefined) throw new Error('no API was started');
    return this.#api;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#apiPort}`;
  }

  /** Starts the API, and waits until it answers; whether its servers do is said by `isReady`. */
  async startApi({ port, script = 'api/main', ...options }: ApiOptions = {}): Promise<Program> {
    this.#apiPort = port ?? (await freePort());
    this.#api = await this.#start('api', 'API', script, options, {
      environment: { PORT: String(this.#apiPort) },
      ready: async () => void (await fetch(`${this.apiUrl}/healthz`)),
    });
    return this.#api;
  }

  async startWorker(options: WorkerOptions): Promise<Program> {
    const { name = `worker ${this.workers.length + 1}`, script = 'worker/main', tasks = 'all', ready } = options;
    const worker = await this.#start('worker', name, script, options, { environment: { WORKER_TASKS: tasks }, ready });
    this.workers.push(worker);
    return worker;
  }

  /** Whether the API reaches all that it needs. */
  async isReady(timeoutMs = 3_000): Promise<boolean> {
    return fetch(`${this.apiUrl}/readyz`, { signal: AbortSignal.timeout(timeoutMs) }).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** @throws unless so many of its workers poll its task queue. */
  async assertPolled(client: Client, of: 'workflows' | 'activities', workers: number): Promise<void> {
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace: 'default',
      taskQueue: { name: this.name },
      taskQueueType: of === 'workflows' ? WORKFLOW_QUEUE : ACTIVITY_QUEUE,
    });
    if (new Set(pollers?.map((poller) => poller.identity)).size < workers) throw new Error('not polling yet');
  }

  /** Ends every process in order. Safe to repeat. */
  async stop(): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.stop()));
    await this.#api?.stop();
    this.#api = undefined;
  }

  #start(
    kind: 'api' | 'worker',
    name: string,
    script: string,
    { environment, nodeOptions = [] }: ProcessOptions,
    { ready, ...own }: Pick<WorkerOptions, 'ready'> & { readonly environment: Readonly<NodeJS.ProcessEnv> },
  ): Promise<Program> {
    const { program, isCompiled, servers, logs, ...all } = this.#options;
    return Program.start({
      name,
      command: node(join(program, `${script}.${isCompiled ? 'js' : 'ts'}`), [
        ...(all.nodeOptions ?? []),
        ...nodeOptions,
      ]),
      environment: {
        ...all.environment,
        ...environmentFor({ ...servers[kind], name: all.name, environment: { ...own.environment, ...environment } }),
      },
      ready,
      ...(logs !== undefined && { log: join(logs, `${name.toLowerCase().replaceAll(' ', '-')}.log`) }),
    });
  }
}
