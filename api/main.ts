import { ConfigError, loadConfig } from '../process/config.ts';
import { endInOrder } from '../process/end.ts';
import { createLogger } from '../process/logging.ts';
import { builtDashboard } from './dashboard/files.ts';
import { startApi } from './server.ts';

/** `npm run api`: one API process on configured servers, until SIGINT or SIGTERM. */
try {
  const config = loadConfig();
  const logger = createLogger(config, { service: 'api' });
  const api = await startApi(config, logger, builtDashboard());
  process.stdout.write(`ready ${api.url}\n`);
  endInOrder(logger, 'API', api.stop);
} catch (error) {
  const reason =
    error instanceof ConfigError
      ? error.message
      : `the API cannot run: ${error instanceof Error ? error.message : error}`;
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
