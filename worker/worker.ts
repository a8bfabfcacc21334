import { fileURLToPath } from 'node:url';
import { type WorkerOptions as SdkWorkerOptions, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { type Checkpoint, createActivityContext } from '../activities/activity-context.ts';
import { createActivities } from '../activities/index.ts';
import { RETRY_DELAYS_MS } from '../domain/webhooks/webhook.ts';
import { commandTimeoutMs } from '../isolation/attempts/attempt.ts';
import { type Config, ConfigError } from '../process/config.ts';
import { connectClient, connectNative } from '../process/connections.ts';
import { dataConverter } from '../process/payload-codec.ts';
import { startTelemetry } from '../process/telemetry.ts';
import { MemoryAllowance } from '../services/deletes/memory-allowance.ts';
import type { DeliverParts } from '../services/webhooks/deliver-message.ts';
import { SecretBox } from '../services/webhooks/secret-box.ts';
import { connectDatabase } from '../store/mongodb/database.ts';
import { createIndexesAtLast } from '../store/mongodb/indexes.ts';
import { terminationTaskQueue } from '../workflows/messages.ts';
import { webhookTaskQueue } from '../workflows/webhooks/messages.ts';
import { keepRecovery } from './keep-recovery.ts';
import { measureBatches } from './outcome-metrics.ts';
import { ReadablePayloads } from './readable-payloads.ts';
import { installRuntime } from './runtime.ts';
import { tracing } from './trace-work.ts';

/**
 * Concurrent activities of one process. No other worker can run a task that was polled here, so it is not much more than the
 * number of activities that write (`WRITERS_PER_WORKER`). One of them is always recovery.
 */
const MAX_CONCURRENT_ACTIVITIES = 16 + 1;
/** Concurrent activities of one process that wait for executions to end, up to eight of a batch: they have their own task queue. */
const MAX_CONCURRENT_TERMINATIONS = 32;
/** Webhooks that one process delivers to at a time; they have their own task queue. They wait for receivers, mostly. */
const MAX_CONCURRENT_WEBHOOKS = 100;
/** Concurrent local activities: plans of writes and the finishing of small batches, inside workflow tasks. */
const MAX_CONCURRENT_LOCAL_ACTIVITIES = 4;
/** Workflows kept in memory; others are replayed from their history. */
const MAX_CACHED_WORKFLOWS = 500;
/** Time after which another worker continues a workflow that was cached by a dead worker. */
const STICKY_TIMEOUT = '5s';
/**
 * Longest call into a workflow, 5 s by default. The clock runs on while a machine has no CPU for it, and where the call is ended inside a promise,
 * Node up to 22 ends the whole process ("async hook stack has become corrupted"). The SDK reads this option, but does not have it among its types.
 */
const CALL_INTO_WORKFLOW = { isolateExecutionTimeout: '60s' };
/** Time for activities to end when the worker stops. */
const DRAIN = '25s';

export interface RunningWorker {
  /** Ends polling, lets activities finish, and closes what it had opened. */
  stop(): Promise<void>;
  /** Resolves when the worker ends by itself; rejected if it has failed. */
  readonly ended: Promise<void>;
}

export interface WorkerOptions {
  /** Tests only: see `ActivityContext.checkpoint`. */
  readonly checkpoint?: (at: Checkpoint, batchId: string) => Promise<void>;
  /** Tests only: other times between attempts of a delivery, and other names. */
  readonly webhooks?: Partial<Pick<DeliverParts, 'retryDelaysMs' | 'lookup'>>;
  /** For tests that need no recovery. */
  readonly withRecovery?: boolean;
  /** File with the bundled workflows; absent: they are bundled at the start, which takes some seconds. */
  readonly workflowBundle?: string;
}

/**
 * Starts a worker on configured servers; any number of them share a task queue.
 * @throws an error if MongoDB or Temporal cannot be reached.
 */
export async function startWorker(config: Config, logger: Logger, options: WorkerOptions = {}): Promise<RunningWorker> {
  if (config.MONGODB_URI === undefined) throw new ConfigError('MONGODB_URI must be set');
  installRuntime(config, logger);
  const telemetry = await startTelemetry(config, 'worker');
  const database = await connectDatabase(config.MONGODB_URI, config.MONGODB_DATABASE, {
    socketTimeoutMS: commandTimeoutMs(config.ACTIVITY_TIMEOUT_SECONDS * 1000),
    retryWrites: false,
    isTraced: telemetry !== null,
  });
  await database.ping();
  const stopped = new AbortController();
  void createIndexesAtLast(database, logger, stopped.signal);
  const client = connectClient(config);
  const connection = await connectNative(config);
  const context = createActivityContext({
    database,
    client,
    logger,
    taskQueue: config.TEMPORAL_TASK_QUEUE,
    activityTimeoutSeconds: config.ACTIVITY_TIMEOUT_SECONDS,
    stopping: stopped.signal,
    importWindow: config.IMPORT_WINDOW,
    webhooks: {
      secrets: new SecretBox({ keys: config.DROVER_WEBHOOK_KEY, isProduction: config.NODE_ENV === 'production' }),
      allowPrivate: config.WEBHOOK_ALLOW_PRIVATE,
      retryDelaysMs: RETRY_DELAYS_MS,
      ...options.webhooks,
    },
    retentionDays: config.BATCH_RETENTION_DAYS,
    planningMemory: new MemoryAllowance(config.DELETION_MEMORY_BYTES),
    writersAtOnce: config.WRITERS_PER_WORKER,
    ...(config.RESOURCES_PER_ACTIVITY !== undefined && { resourcesPerActivity: config.RESOURCES_PER_ACTIVITY }),
    ...(options.checkpoint && { checkpoint: options.checkpoint }),
  });
  const activities = createActivities(context);
  const { activity, workflowModules, sinks } = tracing(telemetry);
  const common = {
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    interceptors: { activity: [...activity, measureBatches], workflowModules },
    ...(sinks && { sinks }),
    shutdownGraceTime: DRAIN,
    dataConverter: { payloadCodecs: [new ReadablePayloads(dataConverter(config).payloadCodecs ?? [])] },
    ...CALL_INTO_WORKFLOW,
  } satisfies Partial<SdkWorkerOptions>;
  const worker = await Worker.create({
    ...common,
    taskQueue: config.TEMPORAL_TASK_QUEUE,
    ...(config.WORKER_TASKS !== 'activities' &&
      (options.workflowBundle
        ? { workflowBundle: { codePath: options.workflowBundle } }
        : { workflowsPath: workflowsPath() })),
    // the local ones of its workflows stay
    enableNonLocalActivities: config.WORKER_TASKS !== 'workflows',
    activities,
    maxConcurrentActivityTaskExecutions: MAX_CONCURRENT_ACTIVITIES,
    maxConcurrentLocalActivityExecutions: MAX_CONCURRENT_LOCAL_ACTIVITIES,
    maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
  });
  const workers = [worker];
  if (config.WORKER_TASKS !== 'workflows') {
    const terminations = await Worker.create({
      ...common,
      taskQueue: terminationTaskQueue(config.TEMPORAL_TASK_QUEUE),
      activities: { terminateExecutions: activities.terminateExecutions },
      maxConcurrentActivityTaskExecutions: MAX_CONCURRENT_TERMINATIONS,
    });
    const deliveries = await Worker.create({
      ...common,
      taskQueue: webhookTaskQueue(config.TEMPORAL_TASK_QUEUE),
      activities: { deliverMessages: activities.deliverMessages },
      maxConcurrentActivityTaskExecutions: MAX_CONCURRENT_WEBHOOKS,
    });
    workers.push(terminations, deliveries);
  }
  const { ended, stopPolling } = runTogether(workers);
  if (options.withRecovery !== false) void keepRecovery(client, config.TEMPORAL_TASK_QUEUE, logger, stopped.signal);
  return {
    ended,
    stop: async () => {
      // the worker must have stopped polling before recovery ends its activity
      stopPolling();
      stopped.abort();
      await ended.catch((error: unknown) => logger.error({ err: error }, 'the worker failed'));
      await context.schemas.threads.close();
      await connection.close();
      await client.connection.close();
      await database.close();
      await telemetry?.flush();
    },
  };
}

/** Runs the workers of one process; if one of them fails, all end. */
function runTogether(workers: readonly Worker[]): { ended: Promise<void>; stopPolling: () => void } {
  const stopPolling = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map((worker) => worker.run().finally(stopPolling));
  const ended = Promise.allSettled(runs).then(async () => {
    await Promise.all(runs);
  });
  return { ended, stopPolling };
}

/** Sources run as TypeScript, a build as JavaScript: the workflows have the same extension as this file. */
function workflowsPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`../workflows/index.${extension}`, import.meta.url));
}
