import { pino } from 'pino';
import { loadConfig } from '../config.ts';
import { startWorker } from '../worker/worker.ts';

/** A worker in a process of its own, for tests that kill it; see `spawnWorker`. */
const { KILL_AT, KILL_NTH, WORKFLOW_BUNDLE } = process.env;
let passes = 0;
await startWorker(loadConfig(), pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }), {
  withRecovery: false,
  ...(WORKFLOW_BUNDLE && { workflowBundle: WORKFLOW_BUNDLE }),
  checkpoint: async (at) => {
    if (at !== KILL_AT) return;
    passes += 1;
    if (passes === Number(KILL_NTH)) process.kill(process.pid, 'SIGKILL');
  },
});
process.stdout.write('ready\n');
