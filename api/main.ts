import { ConfigError, loadConfig } from '../config.ts';
import { createLogger } from '../logging.ts';
import { startApi } from './server.ts';

/** `npm run api`: one API process on configured servers, until SIGINT or SIGTERM. */
try {
  const config = loadConfig();
  const logger = createLogger(config, { service: 'api' });
  const api = await startApi(config, logger);
  process.stdout.write(`ready ${api.url}\n`);
  let isStopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (isStopping) return;
      isStopping = true;
      logger.info({ signal }, 'the API drains');
      api.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ err: error }, 'the API did not stop in order');
          process.exit(1);
        },
      );
    });
  }
} catch (error) {
  const reason =
    error instanceof ConfigError
      ? error.message
      : `the API cannot run: ${error instanceof Error ? error.message : error}`;
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
