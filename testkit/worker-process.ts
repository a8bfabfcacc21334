import { once } from 'node:events';
import { pino } from 'pino';
import { loadConfig } from '../process/config.ts';
import { startWorker } from '../worker/worker.ts';

/**
 * A worker that is killed: as `worker/main.ts`, but with workflows that are bundled once for a run (`WORKFLOW_BUNDLE`: bundling takes seconds at
 * each start), without recovery if requested (`WITHOUT_RECOVERY`), and killing itself (SIGKILL) if requested at the `KILL_NTH` time
 * that an activity reaches the checkpoint `KILL_AT`. An activity that reaches the checkpoint `HOLD_AT` waits there for a SIGUSR2.
 */
const { KILL_AT, KILL_NTH, HOLD_AT, WITHOUT_RECOVERY, WORKFLOW_BUNDLE } = process.env;
let passes = 0;

async function atCheckpoint(checkpoint: string): Promise<void> {
  if (checkpoint === HOLD_AT) await once(process, 'SIGUSR2');
  if (checkpoint !== KILL_AT) return;
  passes += 1;
  if (passes === Number(KILL_NTH)) process.kill(process.pid, 'SIGKILL');
}

try {
  const config = loadConfig();
  const worker = await startWorker(config, pino({ level: config.LOG_LEVEL, base: { service: 'worker' } }), {
    withRecovery: WITHOUT_RECOVERY !== 'true',
    ...(WORKFLOW_BUNDLE && { workflowBundle: WORKFLOW_BUNDLE }),
    ...((KILL_AT || HOLD_AT) && { checkpoint: atCheckpoint }),
  });
  process.stdout.write('ready\n');
  await worker.ended;
} catch (error) {
  process.stderr.write(`the worker cannot run: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
