import { loadConfig } from '../process/config.ts';
import { runWorker } from './run-worker.ts';

/** `npm run worker`. */
await runWorker(() => loadConfig());
