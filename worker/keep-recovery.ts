import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { ensureRecovery } from '../services/temporal/recovery-workflow.ts';
import { missingSetup } from '../services/temporal/temporal-setup.ts';

/** How often each worker makes sure that recovery runs, in ms: it may have been terminated or deleted. */
const EVERY_MS = 30_000;
const FAILED_MS = 5_000;
const CALL_TIMEOUT_MS = 5_000;

/** Keeps the recovery workflow of a task queue running until `stopped`; if several workers try, one starts it. */
export async function keepRecovery(
  client: Client,
  taskQueue: string,
  logger: Logger,
  stopped: AbortSignal,
): Promise<void> {
  let wasRunning = true;
  while (!stopped.aborted) {
    const isRunning = await tryToEnsure(client, taskQueue, wasRunning ? logger : null);
    if (isRunning && !wasRunning) logger.info('recovery runs');
    wasRunning = isRunning;
    await sleep(isRunning ? EVERY_MS : FAILED_MS, undefined, { signal: stopped, ref: false }).catch(() => undefined);
  }
}

/** @param logger receives the reason of a failure; null if it is known already. */
async function tryToEnsure(client: Client, taskQueue: string, logger: Logger | null): Promise<boolean> {
  const inTime = <T>(call: () => Promise<T>): Promise<T> => client.withDeadline(Date.now() + CALL_TIMEOUT_MS, call);
  try {
    await inTime(() => ensureRecovery(client, taskQueue));
    return true;
  } catch (error) {
    if (logger === null) return false;
    const missing = await inTime(() => missingSetup(client)).catch(() => []);
    const advice = missing.length > 0 ? ': something is missing that `npm run setup` creates' : '';
    logger.warn({ err: error, missing }, `recovery could not be started; it will be tried again${advice}`);
    return false;
  }
}
