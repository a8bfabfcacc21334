import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Drover } from './harness.ts';

export interface OwnProcess {
  readonly process: ChildProcess;
  /** What it has put out when it was ready. */
  readonly ready: RegExpExecArray;
  /** Resolves when the process has ended, in whatever way. */
  readonly ended: Promise<void>;
}

/**
 * Starts a script of this folder on a Drover's servers, in a process of its own.
 * @param isReady matches the line that it puts out when it is.
 */
export async function spawnOwn(
  { config }: Pick<Drover, 'config'>,
  script: string,
  isReady: RegExp,
  environment: Readonly<Record<string, string>>,
): Promise<OwnProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(new URL(script, import.meta.url))], {
    env: {
      PATH: process.env.PATH,
      MONGODB_URI: config.MONGODB_URI,
      MONGODB_DATABASE: config.MONGODB_DATABASE,
      TEMPORAL_ADDRESS: config.TEMPORAL_ADDRESS,
      TEMPORAL_NAMESPACE: config.TEMPORAL_NAMESPACE,
      TEMPORAL_TASK_QUEUE: config.TEMPORAL_TASK_QUEUE,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(() => undefined);
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = isReady.exec(line);
    if (ready) return { process: child, ready, ended };
  }
  throw new Error(`${script} did not start`);
}
