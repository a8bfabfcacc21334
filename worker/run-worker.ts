import { type Config, ConfigError } from '../process/config.ts';
import { endInOrder } from '../process/end.ts';
import { createLogger } from '../process/logging.ts';
import { startWorker } from './worker.ts';

/**
 * One worker on configured servers, until SIGINT or SIGTERM; the process ends with it.
 * @param configure returns the configuration. @param ready is called when the worker runs.
 */
export async function runWorker(configure: () => Config | Promise<Config>, ready?: () => void): Promise<void> {
  try {
    const config = await configure();
    const logger = createLogger(config, { service: 'worker' });
    const worker = await startWorker(config, logger);
    logger.info({ taskQueue: config.TEMPORAL_TASK_QUEUE }, 'the worker is running');
    endInOrder(logger, 'worker', worker.stop);
    ready?.();
    await worker.ended;
  } catch (error) {
    const reason =
      error instanceof ConfigError
        ? error.message
        : `the worker cannot run: ${error instanceof Error ? error.message : error}`;
    process.stderr.write(`${reason}\n`);
    process.exit(1);
  }
}
