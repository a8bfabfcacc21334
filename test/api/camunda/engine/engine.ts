import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { SearchAttributes } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import { inject, vi } from 'vitest';
import { onceBuilt } from '../../../../embedded/once-built.ts';
import { Conformance } from '../../../harness/conformance.ts';
import { Drover } from '../../../harness/drover.ts';
import { createNamespace } from './namespace.ts';

/** An answer of the façade. */
interface EngineAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly body: unknown;
}

const PATIENCE = { timeout: 90_000, interval: 100 };

/** A Drover with its Camunda façade in a namespace of its own, and a worker for the process instances of the tests. */
export class Engine {
  readonly drover: Drover;
  readonly client: Client;
  readonly taskQueue: string;
  readonly #worker: Worker;
  readonly #running: Promise<void>;
  readonly #connection: NativeConnection;
  #idle: Promise<Drover> | undefined;

  private constructor(drover: Drover, worker: Worker, connection: NativeConnection) {
    this.drover = drover;
    this.client = drover.services.client;
    this.taskQueue = worker.options.taskQueue;
    this.#worker = worker;
    this.#running = worker.run();
    this.#connection = connection;
  }

  static async start(options: { worker?: false; environment?: Record<string, string> } = {}): Promise<Engine> {
    const address = inject('temporalAddress');
    const [namespace, codePath] = await Promise.all([createNamespace(address), bundled()]);
    const environment = {
      CAMUNDA_TERMINATION_GRACE_SECONDS: '2',
      ...options.environment,
      TEMPORAL_NAMESPACE: namespace,
    };
    // Drover's worker first: it sets the SDK up for the process.
    const drover = await Drover.start({ environment });
    await Conformance.watch(drover);
    if (options.worker === false) await drover.stopWorker();
    const connection = await NativeConnection.connect({ address });
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue: `${drover.config.TEMPORAL_TASK_QUEUE}-instances`,
      workflowBundle: { codePath },
      maxCachedWorkflows: 2_000,
    });
    return new Engine(drover, worker, connection);
  }

  /** Accepts batches in the same database that no worker runs. */
  async idle(): Promise<Drover> {
    this.#idle ??= Drover.start({
      worker: false,
      environment: {
        MONGODB_DATABASE: this.drover.config.MONGODB_DATABASE,
        TEMPORAL_NAMESPACE: this.drover.config.TEMPORAL_NAMESPACE,
        TEMPORAL_TASK_QUEUE: `${this.drover.config.TEMPORAL_TASK_QUEUE}-idle`,
      },
    });
    return this.#idle;
  }

  async stop(): Promise<void> {
    await (await this.#idle)?.stop();
    this.#worker.shutdown();
    await this.#running;
    await this.#connection.close();
    await this.drover.stop();
  }

  /** Starts a process instance. */
  begin(
    type: string,
    workflowId: string,
    args: unknown[] = [],
    searchAttributes: SearchAttributes = {},
  ): Promise<WorkflowHandle> {
    return this.client.workflow.start(type, { workflowId, args, taskQueue: this.taskQueue, searchAttributes });
  }

  /**
   * Starts process instances and waits until visibility lists them.
   * @param taskQueue a queue that no worker polls: the instances exist, and cost less.
   */
  async beginMany(type: string, workflowIds: readonly string[], taskQueue = this.taskQueue): Promise<void> {
    for (let at = 0; at < workflowIds.length; at += 50) {
      const some = workflowIds.slice(at, at + 50);
      await Promise.all(some.map((workflowId) => this.client.workflow.start(type, { workflowId, taskQueue })));
    }
    await this.seen(type, workflowIds.length);
  }

  /** Waits until visibility shows so many running executions of a type. */
  async seen(type: string, count: number): Promise<void> {
    const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Running'`;
    await eventually(async () => (await this.client.workflow.count(query)).count === count, `${count} running ${type}`);
  }

  /** Sends a request under `/engine-rest`. A body is sent as JSON, a text unchanged. */
  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<EngineAnswer> {
    const response = await this.drover.app.request(`/engine-rest${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const contentType = response.headers.get('content-type');
    return { status: response.status, contentType, body: text === '' ? null : JSON.parse(text) };
  }

  /** Deletes process instances. @returns the id of the batch. */
  async delete(body: object, headers: Record<string, string> = {}): Promise<string> {
    const answer = await this.send('POST', '/process-instance/delete', body, headers);
    if (answer.status !== 200) throw new Error(`deleting: ${JSON.stringify(answer)}`);
    return (answer.body as { id: string }).id;
  }

  /** Status of an execution as Temporal names it. */
  async status(workflowId: string): Promise<string> {
    return (await this.client.workflow.getHandle(workflowId).describe()).status.name;
  }
}

/** The process instances' workflows as one file, which the first test file that needs it in a run makes. */
function bundled(): Promise<string> {
  const path = join(dirname(inject('workflowBundle')), 'process-instances.js');
  return onceBuilt(
    path,
    'workflows of the Camunda tests',
    () => undefined,
    async (unfinished) => {
      const { code } = await bundleWorkflowCode({
        workflowsPath: fileURLToPath(new URL('workflows.ts', import.meta.url)),
        logger: new DefaultLogger('WARN'),
      });
      await writeFile(unfinished, code);
    },
  );
}

/** Waits until a condition is true. @throws after 90 s, with the description of the condition. */
export const eventually = (isTrue: () => Promise<boolean | undefined>, what: string): Promise<void> =>
  vi.waitFor(async () => {
    if (!(await isTrue())) throw new Error(`did not become true: ${what}`);
  }, PATIENCE);
