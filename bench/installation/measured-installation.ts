import { setTimeout as sleep } from 'node:timers/promises';
import { createDrover, type DroverClient, type NewSchemaDefinition } from '@drover/client';
import type { Client } from '@temporalio/client';
import { RUNNING_STATUSES } from '../../domain/batch/batch.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import type { Servers } from '../../embedded/servers.ts';
import { type Config, loadConfig } from '../../process/config.ts';
import { connectClient } from '../../process/connections.ts';
import type { BatchView } from '../../services/batches/view-batch.ts';
import { type BatchDocument, readBatches } from '../../store/batches/batches.ts';
import { connectDatabase, type Database } from '../../store/mongodb/database.ts';
import { Installation, type InstallationOptions } from '../../testkit/installation.ts';
import type { Program } from '../../testkit/program.ts';
import { CUSTOMER_DEFINITION, REGION_DEFINITION } from '../data/customers.ts';
import { customerSeeds, regionSeeds, type Seed } from '../data/seed.ts';
import { dropDatabase, newDatabaseName } from './databases.ts';
import type { Network } from './network.ts';
import { openSeeding, type Seeding } from './seeding.ts';
import { untilStopped } from './started.ts';
import type { Version } from './version.ts';

export interface MeasuredOptions {
  /** Worker processes. Default 1. */
  readonly workers?: number;
  /**
   * `together`: each runs workflows and activities. `apart`: each has a second one beside it that runs its activities, as in
   * docker-compose.yml. `npm start`: the processes that this starts, from its sources. Default `together`.
   */
  readonly layout?: 'together' | 'apart' | 'npm start';
  /** For the Node of API and workers, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** The servers of its processes. Default: those of the run, behind the network where there is one. */
  readonly servers?: InstallationOptions['servers'];
}

/** How often the store is asked whether batches have finished, in ms; the time at which they did is stored to the millisecond. */
const POLL_MS = 40;
/** Longest wait for an answer, in ms: accepting a deletion of 100,000 executions takes minutes. */
const ANSWER_TIMEOUT_MS = 600_000;
const PLATFORM = 'default';
/** As in package.json and docker-compose.yml. */
const NODE_OPTIONS = ['--max-semi-space-size=64'];

/** What is measured: a version of Drover, next to its servers or with a network between. */
export interface Contestant {
  readonly name: string;
  readonly version: Version;
  readonly network: Network | null;
}

/** A whole Drover as users run it: API and workers in processes of their own, on the servers of the run. */
export class MeasuredInstallation {
  readonly database: Database;
  readonly client: Client;
  /** Name -> id of the schema definitions. */
  readonly definitions = new Map<string, string>();
  readonly #servers: Servers;
  readonly #processes: Installation;
  readonly #seeding: Seeding;
  /** Workers by what they take. */
  readonly #pollers = new Map<Config['WORKER_TASKS'], number>();
  #tenants = 0;
  /** Ends it. Safe to repeat. */
  readonly stop: () => Promise<void> = untilStopped(() => this.#stop());

  private constructor(servers: Servers, processes: Installation, database: Database, seeding: Seeding) {
    this.#servers = servers;
    this.#processes = processes;
    this.#seeding = seeding;
    this.database = database;
    this.client = connectClient(loadConfig({ TEMPORAL_ADDRESS: servers.temporalAddress }));
  }

  static async start(
    servers: Servers,
    { version, network }: Contestant,
    { workers = 1, layout = 'together', environment, ...options }: MeasuredOptions = {},
  ): Promise<MeasuredInstallation> {
    const name = newDatabaseName();
    const addresses = network?.addresses ?? servers;
    const processes = new Installation({
      name,
      program: layout === 'npm start' ? version.root : version.build,
      isCompiled: layout !== 'npm start',
      servers: options.servers ?? { api: addresses, worker: addresses },
      environment: { ...process.env, LOG_LEVEL: 'error', ...environment },
      nodeOptions: [...NODE_OPTIONS, ...(options.nodeOptions ?? [])],
    });
    // not through the network: reading the results is not measured
    const database = await connectDatabase(servers.mongodbUri, name);
    const seeding = await openSeeding(version, servers.mongodbUri, name);
    const installation = new MeasuredInstallation(servers, processes, database, seeding);
    try {
      await installation.#startAll(workers, layout);
      return installation;
    } catch (error) {
      await installation.stop();
      throw error;
    }
  }

  async #startAll(workers: number, layout: MeasuredOptions['layout']): Promise<void> {
    // the API is the last that `npm start` starts
    await this.#processes.startApi(layout === 'npm start' ? { script: 'embedded/start' } : {});
    while (!(await this.#processes.isReady())) await sleep(POLL_MS);
    for (let n = 0; n < workers && layout !== 'npm start'; n++) {
      if (layout === 'together') await this.addWorker();
      else for (const tasks of ['workflows', 'activities'] as const) await this.addWorker(tasks);
    }
    await this.define(REGION_DEFINITION);
    await this.define(CUSTOMER_DEFINITION);
  }

  get api(): Program {
    return this.#processes.api;
  }

  get workers(): readonly Program[] {
    return this.#processes.workers;
  }

  /** The first of its workers. */
  get worker(): Program {
    const [worker] = this.workers;
    if (worker === undefined) throw new Error('no worker runs');
    return worker;
  }

  get name(): string {
    return this.#processes.name;
  }

  addWorker(tasks: Config['WORKER_TASKS'] = 'all'): Promise<Program> {
    const expected = (this.#pollers.get(tasks) ?? 0) + 1;
    this.#pollers.set(tasks, expected);
    const of = tasks === 'workflows' ? 'workflows' : 'activities';
    return this.#processes.startWorker({
      tasks,
      ready: () => this.#processes.assertPolled(this.client, of, expected),
    });
  }

  /** A client for requests that are not measured: without retries, and with time for long answers. */
  clientOf(tenant?: string): DroverClient {
    const options = { url: this.#processes.apiUrl, retry: false, timeoutMs: ANSWER_TIMEOUT_MS } as const;
    return createDrover(tenant === undefined ? options : { ...options, tenant });
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
    await this.store(tenant, 'region', regionSeeds());
    return tenant;
  }

  /** Stores customers, from a number on, without a batch. */
  storeCustomers(tenant: string, from: number, count: number): Promise<void> {
    return this.store(tenant, 'customer', customerSeeds(this.scope(tenant), this.idOf('region'), from, count));
  }

  /** Stores resources without a batch, far faster than batches would. */
  store(tenant: string, schema: string, seeds: Iterable<Seed>): Promise<void> {
    return this.#seeding.store(this.scope(tenant), this.idOf(schema), seeds);
  }

  scope(tenant: string): Scope {
    return { platform: PLATFORM, tenant };
  }

  /** Sends a request that is measured, whose body is JSON already. @returns the `data` of the answer. */
  async send(method: string, path: string, body: string | undefined, tenant: string): Promise<unknown> {
    const text = await this.#fetch(method, path, body, { 'reach-tenant-id': tenant });
    return (JSON.parse(text) as { data: unknown }).data;
  }

  /** All resources of a schema definition, as NDJSON. */
  exported(schema: string, tenant: string): Promise<Response> {
    const headers = { 'reach-tenant-id': tenant, accept: 'application/x-ndjson' };
    return fetch(`${this.#processes.apiUrl}/api/resources/${schema}`, { headers });
  }

  /** Streams content to the API. @returns the `data` of the answer. */
  async sendContent(path: string, content: ReadableStream<Uint8Array>, tenant: string): Promise<unknown> {
    const response = await fetch(this.#processes.apiUrl + path, {
      method: 'POST',
      headers: { 'reach-tenant-id': tenant, 'content-type': 'application/x-ndjson' },
      body: content,
      duplex: 'half',
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text.slice(0, 300)}`);
    return (JSON.parse(text) as { data: unknown }).data;
  }

  async isThere(schema: string, externalId: string, tenant: string): Promise<boolean> {
    const path = `/api/resources/${schema}/${encodeURIComponent(externalId)}`;
    const { status, body } = await fetch(this.#processes.apiUrl + path, { headers: { 'reach-tenant-id': tenant } });
    await body?.cancel();
    return status === 200;
  }

  /** Memory of JavaScript in the API process, in MB. */
  async apiHeapMb(): Promise<number> {
    const [, bytes] = /^nodejs_heap_size_used_bytes (\S+)/m.exec(await this.#fetch('GET', '/metrics')) ?? [];
    return Number(bytes) / 1024 ** 2;
  }

  async #fetch(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<string> {
    const response = await fetch(this.#processes.apiUrl + path, {
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

  /** Waits in the store, not at the API, so that waiting costs the measured processes nothing. @throws where one has failed items. */
  async ended(batchIds: readonly string[], mayFail = false): Promise<BatchDocument[]> {
    return this.#until(batchIds, (batch) => !isRunning(batch), mayFail);
  }

  /**
   * Keeps `width` batches under way until `count` have been started, and waits for the last. One query finds all of them: a
   * query for each would take time from what is measured.
   */
  async inFlight(width: number, count: number, start: (n: number) => Promise<string>): Promise<BatchDocument[]> {
    const running = new Set<string>();
    const finished: BatchDocument[] = [];
    for (let begun = 0; finished.length < count; ) {
      const next = Math.min(count - begun, width - running.size);
      const started = await Promise.all(Array.from({ length: next }, (_, n) => start(begun + n)));
      begun += next;
      for (const id of started) running.add(id);
      await sleep(POLL_MS);
      for (const batch of await readBatches(this.database, [...running])) {
        if (isRunning(batch)) continue;
        running.delete(batch._id);
        finished.push(batch);
      }
    }
    return finished.map((batch) => succeeded(batch));
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
      await sleep(POLL_MS);
    }
    const batches = [...there.values()];
    return mayFail ? batches : batches.map(succeeded);
  }

  async #stop(): Promise<void> {
    await this.#processes.stop();
    await this.#seeding.close();
    await this.client.connection.close();
    await this.database.close();
    await dropDatabase(this.#servers.mongodbUri, this.name);
  }
}

const isRunning = ({ status }: BatchDocument): boolean => (RUNNING_STATUSES as readonly string[]).includes(status);

/** @throws where the batch has failed items: then less was measured than was meant. */
function succeeded(batch: BatchDocument): BatchDocument {
  if (batch.status === 'success') return batch;
  throw new Error(`batch ${batch._id} is ${batch.status}: ${JSON.stringify(batch.result?.errorCodes)}`);
}

/** Time from `since` (ms since 1970) until the last of these batches finished, in s. */
export function secondsUntilEnd(since: number, batches: readonly BatchDocument[]): number {
  return Math.max(1, Math.max(...batches.map((batch) => batch.completedAt?.getTime() ?? Number.NaN)) - since) / 1000;
}
