import { createClient, type DroverClient, type NewSchemaDefinition } from '@drover/client';
import type { Client } from '@temporalio/client';
import { RUNNING_STATUSES } from '../domain/batch/batch.ts';
import type { Scope } from '../domain/batch/scope.ts';
import { freePort } from '../embedded/ports.ts';
import type { Servers } from '../embedded/servers.ts';
import { type Config, loadConfig } from '../process/config.ts';
import { connectClient } from '../process/connections.ts';
import type { BatchView } from '../services/batches/view-batch.ts';
import { type BatchDocument, readBatches } from '../store/batches/batches.ts';
import { connectDatabase, type Database } from '../store/mongodb/database.ts';
import { environmentFor } from '../testkit/installed.ts';
import { node, Program } from '../testkit/program.ts';
import { CUSTOMER_DEFINITION, REGION_DEFINITION } from './data/customers.ts';
import { regionSeeds, storeSeeds } from './data/seed.ts';
import { dropDatabase } from './drop-database.ts';

export interface InstallationOptions {
  /** Worker processes. Default 1. */
  readonly workers?: number;
  /** Whether each has a second one beside it that carries out its activities. Default false. */
  readonly apart?: boolean;
  /** For the Node of API and workers, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** How often the store is asked whether batches are over, in ms; their end is stored to the millisecond. */
const POLL_MS = 40;
/** Longest wait for an answer, in ms: accepting a deletion of 100,000 executions takes minutes. */
const ANSWER_TIMEOUT_MS = 600_000;
const PLATFORM = 'default';
/** As in package.json and docker-compose.yml. */
const NODE_OPTIONS = ['--max-semi-space-size=64'];

let installations = 0;

/** A whole Drover as users run it: API and workers in processes of their own, on the servers of the run. */
export class Installation {
  readonly database: Database;
  readonly client: Client;
  readonly workers: Program[] = [];
  /** Name -> id of the schema definitions. */
  readonly definitions = new Map<string, string>();
  readonly #servers: Servers;
  readonly #build: string;
  readonly #name: string;
  readonly #options: InstallationOptions;
  /** Workers by what they take. */
  readonly #pollers = new Map<Config['WORKER_TASKS'], number>();
  #api: Program | undefined;
  #url = '';
  #tenants = 0;

  private constructor(servers: Servers, build: string, options: InstallationOptions, database: Database) {
    this.#servers = servers;
    this.#build = build;
    this.#options = options;
    this.#name = Installation.#nextName();
    this.database = database;
    this.client = connectClient(loadConfig({ TEMPORAL_ADDRESS: servers.temporalAddress }));
  }

  static #nextName(): string {
    return `bench-${process.pid}-${installations}`;
  }

  static async start(servers: Servers, build: string, options: InstallationOptions): Promise<Installation> {
    installations += 1;
    const database = await connectDatabase(servers.mongodbUri, Installation.#nextName());
    const installation = new Installation(servers, build, options, database);
    try {
      await installation.#startApi();
      for (let n = 0; n < (options.workers ?? 1); n++) {
        if (!options.apart) await installation.addWorker();
        else for (const tasks of ['workflows', 'activities'] as const) await installation.addWorker(tasks);
      }
      await installation.define(REGION_DEFINITION);
      await installation.define(CUSTOMER_DEFINITION);
      return installation;
    } catch (error) {
      await installation.stop();
      throw error;
    }
  }

  get api(): Program {
    if (this.#api === undefined) throw new Error('the API does not run');
    return this.#api;
  }

  /** The first of its workers. */
  get worker(): Program {
    const [worker] = this.workers;
    if (worker === undefined) throw new Error('no worker runs');
    return worker;
  }

  get taskQueue(): string {
    return this.#name;
  }

  async #startApi(): Promise<void> {
    const port = await freePort();
    this.#url = `http://127.0.0.1:${port}`;
    this.#api = await Program.start({
      name: 'API',
      command: this.#node('api/main.js'),
      environment: { ...this.#environment(), PORT: String(port) },
      ready: async () => {
        if (!(await fetch(`${this.#url}/readyz`)).ok) throw new Error('not ready yet');
      },
    });
  }

  async addWorker(tasks: Config['WORKER_TASKS'] = 'all'): Promise<Program> {
    const expected = (this.#pollers.get(tasks) ?? 0) + 1;
    this.#pollers.set(tasks, expected);
    const worker = await Program.start({
      name: 'worker',
      command: this.#node('worker/main.js'),
      environment: { ...this.#environment(), WORKER_TASKS: tasks },
      ready: async () => {
        const { pollers } = await this.client.workflowService.describeTaskQueue({
          namespace: 'default',
          taskQueue: { name: this.#name },
          taskQueueType: tasks === 'workflows' ? 1 : 2,
        });
        if (new Set(pollers?.map((poller) => poller.identity)).size < expected) throw new Error('not polling yet');
      },
    });
    this.workers.push(worker);
    return worker;
  }

  #node(script: string): [string, ...string[]] {
    return node(`${this.#build}/${script}`, [...NODE_OPTIONS, ...(this.#options.nodeOptions ?? [])]);
  }

  #environment(): NodeJS.ProcessEnv {
    const environment = { LOG_LEVEL: 'error', ...this.#options.environment };
    return { ...process.env, ...environmentFor({ ...this.#servers, name: this.#name, environment }) };
  }

  /** What asks for anything but what is measured: without retries, which would be measured too, and with time for long answers. */
  clientOf(tenant?: string): DroverClient {
    const options = { baseUrl: this.#url, retry: false, timeoutMs: ANSWER_TIMEOUT_MS } as const;
    return createClient(tenant === undefined ? options : { ...options, tenant });
  }

  async define(definition: NewSchemaDefinition): Promise<string> {
    const { id } = await this.clientOf().schemaDefinitions.create(definition);
    this.definitions.set(definition.name, id);
    return id;
  }

  idOf(name: string): string {
    const id = this.definitions.get(name);
    if (id === undefined) throw new Error(`no schema definition ${name}`);
    return id;
  }

  /** A tenant that nothing is stored for yet but the regions that customers refer to. */
  async newTenant(): Promise<string> {
    this.#tenants += 1;
    const tenant = `tenant-${this.#tenants}`;
    await storeSeeds(this.database, this.scope(tenant), this.idOf('region'), regionSeeds());
    return tenant;
  }

  scope(tenant: string): Scope {
    return { platform: PLATFORM, tenant };
  }

  /** Sends a request that is measured, whose body is JSON already. @returns the `data` of the answer. */
  async send(method: string, path: string, body: string | undefined, tenant: string): Promise<unknown> {
    const text = await this.#fetch(method, path, body, { 'reach-tenant-id': tenant });
    return (JSON.parse(text) as { data: unknown }).data;
  }

  /** Memory of JavaScript in the API process, in MB. */
  async apiHeapMb(): Promise<number> {
    const [, bytes] = /^nodejs_heap_size_used_bytes (\S+)/m.exec(await this.#fetch('GET', '/metrics')) ?? [];
    return Number(bytes) / 1024 ** 2;
  }

  async #fetch(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<string> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`);
    return text;
  }

  /** Starts a batch. @returns its id. */
  async start(
    method: 'POST' | 'PATCH' | 'DELETE',
    schema: string,
    body: string,
    tenant: string,
    query = '',
  ): Promise<string> {
    const data = await this.send(method, `/api/resources/${schema}/batch${query}`, body, tenant);
    return (data as { batchId: string }).batchId;
  }

  upload(resources: readonly object[], tenant: string, query = ''): Promise<string> {
    return this.start('POST', 'customer', JSON.stringify({ resources }), tenant, query);
  }

  async view(batchId: string, tenant: string): Promise<BatchView> {
    return (await this.send('GET', `/api/batches/${batchId}`, undefined, tenant)) as BatchView;
  }

  /** Waits in the store, not at the API, so that waiting costs the measured processes nothing. @throws where one has faults. */
  async ended(batchIds: readonly string[], mayFail = false): Promise<BatchDocument[]> {
    return this.#until(batchIds, (batch) => !isRunning(batch), mayFail);
  }

  /**
   * Keeps `width` batches on their way until `count` have been started, and waits for the last. One looks for all of them: a
   * look for each would take time from what is measured.
   */
  async inFlight(width: number, count: number, start: (n: number) => Promise<string>): Promise<BatchDocument[]> {
    const running = new Set<string>();
    const over: BatchDocument[] = [];
    for (let begun = 0; over.length < count; ) {
      const next = Math.min(count - begun, width - running.size);
      const started = await Promise.all(Array.from({ length: next }, (_, n) => start(begun + n)));
      begun += next;
      for (const id of started) running.add(id);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      for (const batch of await readBatches(this.database, [...running])) {
        if (isRunning(batch)) continue;
        running.delete(batch._id);
        over.push(batch);
      }
    }
    return over.map((batch) => succeeded(batch));
  }

  async waiting(batchIds: readonly string[]): Promise<BatchDocument[]> {
    return this.#until(batchIds, ({ status }) => status === 'waiting', true);
  }

  async #until(
    batchIds: readonly string[],
    isThere: (batch: BatchDocument) => boolean,
    mayFail: boolean,
  ): Promise<BatchDocument[]> {
    const there = new Map<string, BatchDocument>();
    for (;;) {
      for (const batch of await readBatches(
        this.database,
        batchIds.filter((id) => !there.has(id)),
      )) {
        if (isThere(batch)) there.set(batch._id, batch);
      }
      if (there.size === new Set(batchIds).size) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    const batches = [...there.values()];
    return mayFail ? batches : batches.map(succeeded);
  }

  async stop(): Promise<void> {
    for (const worker of this.workers.splice(0)) await worker.stop();
    await this.#api?.stop();
    await this.client.connection.close();
    await this.database.close();
    await dropDatabase(this.#servers.mongodbUri, this.#name);
  }
}

const isRunning = ({ status }: BatchDocument): boolean => (RUNNING_STATUSES as readonly string[]).includes(status);

/** @throws where the batch has faults: then less was measured than was meant. */
function succeeded(batch: BatchDocument): BatchDocument {
  if (batch.status === 'success') return batch;
  throw new Error(`batch ${batch._id} is ${batch.status}: ${JSON.stringify(batch.result?.errorCodes)}`);
}

/** Time from `since` (ms since 1970) until the last of these batches was over, in s. */
export function secondsUntilEnd(since: number, batches: readonly BatchDocument[]): number {
  return Math.max(1, Math.max(...batches.map((batch) => batch.completedAt?.getTime() ?? Number.NaN)) - since) / 1000;
}
