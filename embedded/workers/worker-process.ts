import { once } from 'node:events';
import type { Config } from '../../process/config.ts';
import { runWorker } from '../../worker/run-worker.ts';

/**
 * A worker that `npm start` runs in a process of its own. The first message is its configuration, which it cannot read from the environment: what
 * that says of another Temporal must not reach an embedded one. It answers when it runs.
 */
await runWorker(
  async () => {
    const [config] = await once(process, 'message');
    return config as Config;
  },
  () => process.send?.('ready'),
);
