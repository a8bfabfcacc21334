import type { OpenAPIHono } from '@hono/zod-openapi';
import { type Logger, pino } from 'pino';
import type { Checkpoint } from '../activities/activity-context.ts';
import { createApp } from '../api/app.ts';
import type { ApiEnv, Services } from '../api/http/context.ts';
import { openServices } from '../api/server.ts';
import { type Config, loadConfig } from '../process/config.ts';
import { type RunningWorker, startWorker, type WorkerOptions } from '../worker/worker.ts';
import { environmentFor, type Installed } from './installed.ts';

interface InProcessOptions extends Installed {
  /** File with the workflows, bundled. */
  readonly workflowBundle: string;
  /** Default: nothing is logged, except from the level `TEST_LOG_LEVEL` on if that is set. */
  readonly logger?: Logger;
}

/** The parts of a Drover in this process. */
interface Opened {
  readonly config: Config;
  readonly services: Services & { close(): Promise<void> };
  readonly workflowBundle: string;
}

/** Connects to the servers. */
export async function openInProcess(options: InProcessOptions): Promise<Opened> {
  const config = loadConfig(environmentFor(options));
  const logger = options.logger ?? pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });
  return { config, services: await openServices(config, logger), workflowBundle: options.workflowBundle };
}

/** A whole Drover in this process: the API without a socket and, once it is started, a worker that can be held at checkpoints. */
export class InProcessDrover {
  readonly config: Config;
  readonly services: Opened['services'];
  readonly app: OpenAPIHono<ApiEnv>;
  readonly #workflowBundle: string;
  #worker: RunningWorker | undefined;
  #checkpoint: ((at: Checkpoint, batchId: string) => Promise<void>) | undefined;

  constructor({ config, services, workflowBundle }: Opened) {
    this.config = config;
    this.services = services;
    this.app = createApp(services);
    this.#workflowBundle = workflowBundle;
  }

  /** @param options `config`: a configuration other than that of the API. */
  async startWorker(options: WorkerOptions & { readonly config?: Config } = {}): Promise<void> {
    const { config = this.config, ...others } = options;
    this.#worker = await startWorker(config, this.services.logger, {
      withRecovery: false,
      workflowBundle: this.#workflowBundle,
      checkpoint: async (at, batchId) => this.#checkpoint?.(at, batchId),
      ...others,
    });
  }

  async stopWorker(): Promise<void> {
    await this.#worker?.stop();
    this.#worker = undefined;
  }

  /** From now on, activities of this process await this function at each checkpoint. */
  atCheckpoint(checkpoint: ((at: Checkpoint, batchId: string) => Promise<void>) | undefined): void {
    this.#checkpoint = checkpoint;
  }

  async stop(): Promise<void> {
    this.#checkpoint = undefined;
    await this.stopWorker();
    await this.services.close();
  }
}
