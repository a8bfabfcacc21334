import type { ChildProcess } from 'node:child_process';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { type Logger, pino } from 'pino';
import { inject } from 'vitest';
import type { Checkpoint } from '../activities/dependencies.ts';
import { createApp } from '../api/app.ts';
import type { ApiEnv, Services } from '../api/context.ts';
import { openServices } from '../api/server.ts';
import { type Config, loadConfig } from '../config.ts';
import type { BatchStatus } from '../domain/batch.ts';
import type { ItemView } from '../services/list-items.ts';
import type { BatchView } from '../services/view-batch.ts';
import { type RunningWorker, startWorker, type WorkerOptions } from '../worker/worker.ts';
import { spawnOwn } from './own-process.ts';

/** An answer of the API: its status, headers and parsed body. */
export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { success: boolean; message: string; data: T; errors?: string[] };
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly tenant?: string;
}

const ENDED: readonly BatchStatus[] = ['success', 'partial_success', 'failed', 'cancelled'];
const POLL_MS = 20;

/** A whole Drover of one test file: a database and a task queue of its own, on the servers that the run shares. */
export class Drover {
  readonly config: Config;
  readonly services: Services & { close(): Promise<void> };
  readonly app: OpenAPIHono<ApiEnv>;
  #worker: RunningWorker | undefined;
  #checkpoint: ((at: Checkpoint, batchId: string) => Promise<void>) | undefined;

  private constructor(config: Config, services: Services & { close(): Promise<void> }) {
    this.config = config;
    this.services = services;
    this.app = createApp(services);
  }

  /** @param options `worker: false` starts none; `environment` overrides the configuration; without a `logger` nothing is logged. */
  static async start(
    options: { worker?: WorkerOptions | false; environment?: Record<string, string>; logger?: Logger } = {},
  ): Promise<Drover> {
    const name = `test-${process.pid}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    const config = loadConfig({
      MONGODB_URI: inject('mongodbUri'),
      TEMPORAL_ADDRESS: inject('temporalAddress'),
      MONGODB_DATABASE: name,
      TEMPORAL_TASK_QUEUE: name,
      // a killed worker's items go on soon
      ACTIVITY_TIMEOUT_SECONDS: '5',
      // tests hold several at a checkpoint, and let others go on
      WRITERS_PER_WORKER: '12',
      ...options.environment,
    });
    const logger = options.logger ?? pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });
    const drover = new Drover(config, await openServices(config, logger));
    if (options.worker !== false) await drover.startWorker(options.worker);
    return drover;
  }

  /** @param options `config`: another one than that of the API. */
  async startWorker(options: WorkerOptions & { readonly config?: Config } = {}): Promise<void> {
    const { config = this.config, ...others } = options;
    this.#worker = await startWorker(config, this.services.logger, {
      withRecovery: false,
      workflowBundle: inject('workflowBundle'),
      checkpoint: async (at, batchId) => this.#checkpoint?.(at, batchId),
      ...others,
    });
  }

  async stopWorker(): Promise<void> {
    await this.#worker?.stop();
    this.#worker = undefined;
  }

  /** Awaited by activities of this process at each checkpoint from now on. */
  atCheckpoint(checkpoint: ((at: Checkpoint, batchId: string) => Promise<void>) | undefined): void {
    this.#checkpoint = checkpoint;
  }

  async stop(): Promise<void> {
    this.#checkpoint = undefined;
    await this.stopWorker();
    await this.services.close();
  }

  /** Sends a request; `body` is sent as JSON unless it is text or bytes. */
  async request<T = unknown>(
    method: string,
    path: string,
    { body, headers, tenant }: RequestOptions = {},
  ): Promise<Answer<T>> {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await this.app.request(path, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(tenant !== undefined && { 'reach-tenant-id': tenant }),
        ...headers,
      },
      ...(body !== undefined && { body: isRaw ? (body as string) : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer<T>['body'] };
  }

  /** Defines a schema; its properties, and what else the definition takes. @returns its id. */
  async define(
    name: string,
    properties: object,
    more: { required?: string[]; [key: string]: unknown } = {},
  ): Promise<string> {
    const { required, ...fields } = more;
    const schema = { type: 'object', properties, ...(required && { required }) };
    const { status, body } = await this.request<{ id: string }>('POST', '/partner/schema-definitions', {
      body: { name, schema, ...fields },
    });
    if (status !== 201) throw new Error(`defining ${name}: ${status} ${JSON.stringify(body)}`);
    return body.data.id;
  }

  /** Uploads a batch. @param query for example `?onconflict=reject`. @returns its id. */
  upload(schema: string, resources: readonly object[], query = '', options: RequestOptions = {}): Promise<string> {
    return this.#start('POST', `/api/resources/${schema}/batch${query}`, { body: { resources }, ...options });
  }

  patch(schema: string, resources: readonly object[], query = '', options: RequestOptions = {}): Promise<string> {
    return this.#start('PATCH', `/api/resources/${schema}/batch${query}`, { body: { resources }, ...options });
  }

  delete(schema: string, body: object, options: RequestOptions = {}): Promise<string> {
    return this.#start('DELETE', `/api/resources/${schema}/batch`, { body, ...options });
  }

  async #start(method: string, path: string, options: RequestOptions): Promise<string> {
    const { status, body } = await this.request<{ batchId: string }>(method, path, options);
    if (status !== 202) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    return body.data.batchId;
  }

  async batch(batchId: string, options: RequestOptions = {}): Promise<BatchView> {
    const { body } = await this.request<BatchView>(
      'GET',
      `/api/batches/${batchId}?includePendingDetails=true`,
      options,
    );
    return body.data;
  }

  /** Waits for a state of a batch. @throws after `timeoutMs`, with the last state seen. */
  async until(
    batchId: string,
    isThere: (batch: BatchView) => boolean,
    options: RequestOptions & { timeoutMs?: number } = {},
  ): Promise<BatchView> {
    const deadline = Date.now() + (options.timeoutMs ?? 40_000);
    for (;;) {
      const batch = await this.batch(batchId, options);
      if (isThere(batch)) return batch;
      if (Date.now() > deadline) throw new Error(`batch ${batchId} did not get there: ${JSON.stringify(batch)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  ended(batchId: string, options: RequestOptions & { timeoutMs?: number } = {}): Promise<BatchView> {
    return this.until(batchId, (batch) => ENDED.includes(batch.status), options);
  }

  waiting(batchId: string, options: RequestOptions = {}): Promise<BatchView> {
    return this.until(batchId, (batch) => batch.status === 'waiting', options);
  }

  /** All items of a batch. */
  async items(batchId: string, options: RequestOptions = {}): Promise<ItemView[]> {
    const response = await this.app.request(`/api/batches/${batchId}/items`, {
      headers: {
        accept: 'application/x-ndjson',
        ...(options.tenant !== undefined && { 'reach-tenant-id': options.tenant }),
      },
    });
    return (await response.text()).split('\n').flatMap((line) => (line ? [JSON.parse(line) as ItemView] : []));
  }
}

/** A worker in a process of its own, to be killed. */
export interface WorkerProcess {
  readonly process: ChildProcess;
  /** Resolves when the process has ended, in whatever way. */
  readonly ended: Promise<void>;
  kill(): Promise<void>;
}

/**
 * Starts a worker process on a Drover's servers.
 * @param killAt the process kills itself with SIGKILL at the `nth` time that an activity comes by this checkpoint.
 */
export async function spawnWorker(
  drover: Drover,
  killAt?: { checkpoint: Checkpoint; nth?: number },
): Promise<WorkerProcess> {
  const { process: child, ended } = await spawnOwn(drover, 'worker-process.ts', /^ready$/, {
    ACTIVITY_TIMEOUT_SECONDS: String(drover.config.ACTIVITY_TIMEOUT_SECONDS),
    ...(drover.config.RESOURCES_PER_ACTIVITY && {
      RESOURCES_PER_ACTIVITY: String(drover.config.RESOURCES_PER_ACTIVITY),
    }),
    WORKFLOW_BUNDLE: inject('workflowBundle'),
    ...(killAt && { KILL_AT: killAt.checkpoint, KILL_NTH: String(killAt.nth ?? 1) }),
  });
  return {
    process: child,
    ended,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
