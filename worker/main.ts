import { ConfigError, loadConfig } from '../process/config.ts';
import { endInOrder } from '../process/end.ts';
import { createLogger } from '../process/logging.ts';
import { startWorker } from './worker.ts';

/** `npm run worker`: one worker on configured servers, until SIGINT or SIGTERM. */
try {
  const config = loadConfig();
  const logger = createLogger(config, { service: 'worker' });
  const worker = await startWorker(config, logger);
  logger.info({ taskQueue: config.TEMPORAL_TASK_QUEUE }, 'the worker is running');
  endInOrder(logger, 'worker', worker.stop);
  await worker.ended;
} catch (error) {
  const reason =
    error instanceof ConfigError
      ? error.message
      : `the worker cannot run: ${error instanceof Error ? error.message : error}`;
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
