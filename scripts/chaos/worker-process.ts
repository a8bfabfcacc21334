import { pino } from 'pino';
import { loadConfig } from '../../config.ts';
import { startWorker } from '../../worker/worker.ts';

/** A worker that is killed often: as `worker/main.ts`, but for workflows that are bundled once for a run (seconds at each start). */
const { WORKFLOW_BUNDLE } = process.env;
try {
  const config = loadConfig();
  const logger = pino({ level: config.LOG_LEVEL, base: { service: 'worker' } });
  const worker = await startWorker(config, logger, WORKFLOW_BUNDLE ? { workflowBundle: WORKFLOW_BUNDLE } : {});
  process.stdout.write('ready\n');
  await worker.ended;
} catch (error) {
  process.stderr.write(`the worker cannot run: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
