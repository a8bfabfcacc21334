import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Config } from '../../process/config.ts';
import { end, spawnGuarded } from '../processes.ts';

/** Workers in processes of their own. They end with this process, however that dies. */
interface WorkerProcesses {
  /** Lets them finish their activities, and waits until they have ended. Safe to repeat. */
  stop(): Promise<void>;
}

/** Beside this file, in the sources or compiled. */
const PROGRAM = fileURLToPath(
  new URL(`./worker-process.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);

/** Time that a worker has to end in order, in ms: longer than it gives its activities. */
const STOP_TIMEOUT_MS = 40_000;
/** A worker that has run for this long, in ms, is started again at once; another one after a pause. */
const LONG_RUN_MS = 60_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Starts a worker for each configuration, and starts it again whenever it ends by itself.
 * @param say receives a line for each worker that has ended by itself: the user has to know, whatever the log level is.
 * @throws an error of one line if one of them ends at its first start; then none is left.
 */
export async function startWorkerProcesses(
  configs: readonly Config[],
  logger: Logger,
  say: (line: string) => void,
): Promise<WorkerProcesses> {
  const workers = configs.map(
    (config, index) => new WorkerProcess(`worker process ${index + 1} (${config.WORKER_TASKS})`, config, logger, say),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.stop()));
  };
  const starts = await Promise.allSettled(workers.map((worker) => worker.start()));
  const failed = starts.find((start) => start.status === 'rejected');
  if (failed === undefined) return { stop };
  await stop();
  throw failed.reason;
}

class WorkerProcess {
  readonly #name: string;
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #say: (line: string) => void;
  readonly #stopped = new AbortController();
  #isReady = false;
  #child: ChildProcess | undefined;
  #kept: Promise<void> | undefined;

  constructor(name: string, config: Config, logger: Logger, say: (line: string) => void) {
    this.#name = name;
    this.#config = config;
    this.#logger = logger;
    this.#say = say;
  }

  /** Waits until it is ready. @throws if it ends first. */
  start(): Promise<void> {
    return new Promise((ready, failed) => {
      this.#kept = this.#keep(ready, failed);
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    if (this.#child) await end(this.#child, 'SIGTERM', STOP_TIMEOUT_MS);
    await this.#kept;
  }

  /** Starts it again whenever it has ended, until `stop`, or until it ends before it was ever ready. */
  async #keep(ready: () => void, failed: (error: Error) => void): Promise<void> {
    for (let pauseMs = 0; !this.#stopped.signal.aborted; ) {
      const since = performance.now();
      const how = await this.#runOnce(ready);
      if (!this.#isReady) return failed(new Error(`${this.#name} ended at its start (${how})`));
      if (this.#stopped.signal.aborted) return this.#stoppedBy(how);
      this.#say(`${this.#name} has ended (${how}): it is started again`);
      pauseMs = performance.now() - since > LONG_RUN_MS ? 0 : pauseAfter(pauseMs);
      await sleep(pauseMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
    }
  }

  #stoppedBy(how: string): void {
    if (how !== '0') this.#say(`${this.#name} did not stop in order (${how})`);
  }

  /** Runs it until it ends. @returns its exit code, or the signal. */
  async #runOnce(ready: () => void): Promise<string> {
    // with the options of this process, such as the loader of TypeScript and the room for young objects
    const child = spawnGuarded(process.execPath, [...process.execArgv, PROGRAM], process.env, 'logged');
    this.#child = child;
    // without a callback a channel that has just closed would be an error of this process; the child has ended then
    child.send(this.#config, () => undefined);
    child.once('message', () => {
      this.#logger.info({ pid: child.pid }, `${this.#name} runs`);
      this.#isReady = true;
      ready();
    });
    // an error: the system has no room for another process
    const [code, signal] = await once(child, 'exit').catch((error: Error) => [error.message]);
    return String(signal ?? code);
  }
}

const pauseAfter = (pauseMs: number): number => Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, 2 * pauseMs));
