import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Drover } from './harness.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ worker: false });
});
afterAll(() => drover.stop());

/** Loaded before a program: signals make errors that nobody catches. */
const FAULTS = `data:text/javascript,
process.on('SIGUSR2', () => { Promise.reject(new Error('rejected by the test')); });
process.on('SIGHUP', () => { throw new Error('thrown by the test'); });`.replaceAll('\n', '');

/** A program as `npm run` starts it, on the servers of the run. */
function program(script: string, environment: Record<string, string>): { child: ChildProcess; output: () => string } {
  const { MONGODB_URI = '', TEMPORAL_ADDRESS = '', MONGODB_DATABASE, TEMPORAL_TASK_QUEUE } = drover.config;
  const child = spawn(process.execPath, ['--import', FAULTS, '--import', 'tsx', script], {
    cwd: join(import.meta.dirname, '..'),
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      MONGODB_URI,
      TEMPORAL_ADDRESS,
      MONGODB_DATABASE,
      TEMPORAL_TASK_QUEUE,
      PORT: '0',
      ...environment,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      output += part;
    });
  }
  return { child, output: () => output };
}

async function until(started: { child: ChildProcess; output: () => string }, line: RegExp): Promise<void> {
  while (!line.test(started.output())) {
    if (started.child.exitCode !== null) throw new Error(started.output());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const PROGRAMS = [
  { name: 'the API', script: 'api/main.ts', ready: /^ready /m },
  { name: 'a worker', script: 'worker/main.ts', ready: /the worker takes batches/ },
  { name: 'npm start', script: 'dev/start.ts', ready: /^ready /m },
];

describe.each(PROGRAMS)('$name', ({ script, ready }) => {
  it.each([
    ['SIGUSR2', 'unhandledRejection', 'rejected by the test'],
    ['SIGHUP', 'uncaughtException', 'thrown by the test'],
  ] as const)(
    'logs an error that nobody caught, drains, and ends with 1 (%s)',
    async (signal, event, message) => {
      const dataDir = mkdtempSync(join(tmpdir(), 'drover-end-'));
      const started = program(script, { DROVER_DATA_DIR: dataDir });
      await until(started, ready);
      started.child.kill(signal);
      expect(await once(started.child, 'close')).toEqual([1, null]);
      const logged = started
        .output()
        .split('\n')
        .find((line) => line.includes('an error that nobody caught: the process ends'));
      expect(JSON.parse(logged ?? '{}')).toMatchObject({ level: 60, event, err: { message } });
      expect(started.output()).not.toContain('did not stop in order');
      rmSync(dataDir, { recursive: true, force: true });
    },
    120_000,
  );
});
