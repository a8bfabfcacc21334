import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type Batch,
  type Deletion,
  type DroverClient,
  type Item,
  isFinished,
  type PatchOptions,
  type UploadOptions,
} from '@drover/client';
import type { Logger } from 'pino';
import { inject } from 'vitest';
import type { Checkpoint } from '../../activities/activity-context.ts';
import type { Config } from '../../process/config.ts';
import { InProcessDrover, openInProcess } from '../../testkit/in-process.ts';
import { node, Program } from '../../testkit/program.ts';
import type { WorkerOptions } from '../../worker/worker.ts';
import { type CallerOptions, inProcessClient } from './in-process-client.ts';

/** An answer of the API: its status, headers and parsed body. */
export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { success: boolean; message: string; data: T; errors?: string[] };
}

export interface RequestOptions extends CallerOptions {
  readonly body?: unknown;
}

/** First interval between two reads of a batch, in ms: each read is a query of its workflow, which takes CPU of all processes. */
const FIRST_POLL_MS = 20;
const LAST_POLL_MS = 200;
/** A tenth of the time waited so far: a state that comes soon is seen soon. */
const POLL_SHARE = 0.1;

/** A database and a task queue of its own, on the shared servers of the run. @param environment overrides the configuration. */
export const installedForTest = (environment: Readonly<Record<string, string>> = {}) => ({
  mongodbUri: inject('mongodbUri'),
  temporalAddress: inject('temporalAddress'),
  workflowBundle: inject('workflowBundle'),
  name: `test-${process.pid}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`,
  environment,
});

/** A whole Drover of one test file. */
export class Drover extends InProcessDrover {
  /** @param options `worker: false` starts no worker; `environment` overrides the configuration; without a `logger` nothing is logged. */
  static async start({
    worker,
    environment,
    ...logging
  }: {
    worker?: WorkerOptions | false;
    environment?: Record<string, string>;
    logger?: Logger;
  } = {}): Promise<Drover> {
    const installed = installedForTest({
      // the items of a killed worker continue soon
      ACTIVITY_TIMEOUT_SECONDS: '5',
      // tests hold several activities at a checkpoint, and let others pass
      WRITERS_PER_WORKER: '12',
      ...environment,
    });
    const drover = new Drover(await openInProcess({ ...installed, ...logging }));
    if (worker !== false) await drover.startWorker(worker);
    return drover;
  }

  /** Sends a request unchanged, for tests of status, headers and bodies; `body` is sent as JSON unless it is text or bytes. */
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

  /** A client of this API, for one caller. */
  client(caller: CallerOptions = {}): DroverClient {
    return inProcessClient(this.app, caller);
  }

  /** Defines a schema by its properties and further fields of the definition. @returns its id. */
  async define(
    name: string,
    properties: object,
    more: { required?: string[]; [key: string]: unknown } = {},
  ): Promise<string> {
    const { required, ...fields } = more;
    const schema = { type: 'object', properties, ...(required && { required }) };
    return (await this.client().schemaDefinitions.create({ name, schema, ...fields })).id;
  }

  /** Uploads a batch. @returns its id. */
  async upload(
    schema: string,
    resources: readonly object[],
    options: UploadOptions = {},
    caller: CallerOptions = {},
  ): Promise<string> {
    return (await this.client(caller).resources.upload(schema, resources, { ...WITHOUT_KEY, ...options })).batchId;
  }

  async patch(
    schema: string,
    resources: readonly object[],
    options: PatchOptions = {},
    caller: CallerOptions = {},
  ): Promise<string> {
    return (await this.client(caller).resources.patch(schema, resources, { ...WITHOUT_KEY, ...options })).batchId;
  }

  async delete(schema: string, deletion: Deletion, caller: CallerOptions = {}): Promise<string> {
    return (await this.client(caller).resources.delete(schema, deletion, WITHOUT_KEY)).batchId;
  }

  batch(batchId: string, caller: CallerOptions = {}): Promise<Batch> {
    return this.client(caller).batches.get(batchId, { includePendingDetails: true });
  }

  /** Waits for a state of a batch; the batch may finish and be retried meanwhile. @throws after `timeoutMs`, with the last state seen. */
  async until(
    batchId: string,
    isThere: (batch: Batch) => boolean,
    options: CallerOptions & { timeoutMs?: number } = {},
  ): Promise<Batch> {
    const begun = Date.now();
    const deadline = begun + (options.timeoutMs ?? 40_000);
    for (;;) {
      const batch = await this.batch(batchId, options);
      if (isThere(batch)) return batch;
      if (Date.now() > deadline) throw new Error(`batch ${batchId} did not reach the state: ${JSON.stringify(batch)}`);
      const pauseMs = Math.min(LAST_POLL_MS, Math.max(FIRST_POLL_MS, (Date.now() - begun) * POLL_SHARE));
      await sleep(pauseMs);
    }
  }

  ended(batchId: string, options: CallerOptions & { timeoutMs?: number } = {}): Promise<Batch> {
    return this.until(batchId, isFinished, options);
  }

  waiting(batchId: string, options: CallerOptions = {}): Promise<Batch> {
    return this.until(batchId, (batch) => batch.status === 'waiting', options);
  }

  /**
   * Holds the activities that reach a checkpoint, until `open` is called.
   * @returns `reached`, which resolves when the first one is held.
   */
  holdAt(checkpoint: Checkpoint): { readonly reached: Promise<void>; open(): void } {
    let reach = (): void => undefined;
    let open = (): void => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const opened = new Promise<void>((resolve) => (open = resolve));
    this.atCheckpoint(async (at) => {
      if (at !== checkpoint) return;
      reach();
      await opened;
    });
    return { reached, open };
  }

  /** All items of a batch. */
  items(batchId: string, caller: CallerOptions = {}): Promise<Item[]> {
    return this.client(caller).batches.items(batchId).toArray();
  }
}

/** Most callers send no Idempotency-Key. */
const WITHOUT_KEY = { idempotencyKey: null } as const;

/**
 * Starts a script in a process of its own, on a Drover's servers.
 * @param script from this folder.
 * @param ready matches the line that the script prints when it is ready.
 */
export function spawnScript(
  { config }: Pick<Drover, 'config'>,
  script: string,
  ready: RegExp,
  environment: Readonly<Record<string, string>>,
): Promise<Program> {
  return Program.start({
    name: script,
    command: node(fileURLToPath(new URL(script, import.meta.url))),
    environment: { ...addressesOf(config), ...environment },
    ready,
  });
}

/** The addresses of a Drover's servers, its database and its task queue, as environment variables. */
export const addressesOf = (config: Config) => ({
  MONGODB_URI: config.MONGODB_URI,
  MONGODB_DATABASE: config.MONGODB_DATABASE,
  TEMPORAL_ADDRESS: config.TEMPORAL_ADDRESS,
  TEMPORAL_NAMESPACE: config.TEMPORAL_NAMESPACE,
  TEMPORAL_TASK_QUEUE: config.TEMPORAL_TASK_QUEUE,
});

/**
 * Starts a worker process on a Drover's servers.
 * @param killAt the process kills itself with SIGKILL at the `nth` time that an activity reaches this checkpoint.
 * @param environment more of it, see `testkit/worker-process.ts`.
 */
export function spawnWorker(
  drover: Drover,
  killAt?: { checkpoint: Checkpoint; nth?: number } | null,
  environment: Readonly<Record<string, string>> = {},
): Promise<Program> {
  return spawnScript(drover, '../../testkit/worker-process.ts', /^ready$/, {
    ACTIVITY_TIMEOUT_SECONDS: String(drover.config.ACTIVITY_TIMEOUT_SECONDS),
    ...(drover.config.RESOURCES_PER_ACTIVITY && {
      RESOURCES_PER_ACTIVITY: String(drover.config.RESOURCES_PER_ACTIVITY),
    }),
    WORKFLOW_BUNDLE: inject('workflowBundle'),
    WITHOUT_RECOVERY: 'true',
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
    ...(killAt && { KILL_AT: killAt.checkpoint, KILL_NTH: String(killAt.nth ?? 1) }),
    ...environment,
  });
}
