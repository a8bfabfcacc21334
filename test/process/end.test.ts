import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { node, Program } from '../../testkit/program.ts';
import { addressesOf, Drover } from '../harness/drover.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ worker: false });
});
afterAll(() => drover.stop());

/** Loaded before a program: signals then cause uncaught errors. */
const FAULTS = `data:text/javascript,
process.on('SIGUSR2', () => { Promise.reject(new Error('rejected by the test')); });
process.on('SIGHUP', () => { throw new Error('thrown by the test'); });`.replaceAll('\n', '');

/** A program as `npm run` starts it, on the servers of the run. */
const start = (script: string, ready: RegExp, environment: Record<string, string>): Promise<Program> =>
  Program.start({
    name: script,
    command: node(join(import.meta.dirname, '../..', script), ['--import', FAULTS]),
    environment: { ...addressesOf(drover.config), PORT: '0', ...environment },
    ready,
  });

const PROGRAMS = [
  { name: 'the API', script: 'api/main.ts', ready: /^ready / },
  { name: 'a worker', script: 'worker/main.ts', ready: /the worker is running/ },
  { name: 'npm start', script: 'embedded/start.ts', ready: /^ready / },
];

describe.each(PROGRAMS)('$name', ({ script, ready }) => {
  it.each([
    ['SIGUSR2', 'unhandledRejection', 'rejected by the test'],
    ['SIGHUP', 'uncaughtException', 'thrown by the test'],
  ] as const)(
    'logs an uncaught error, drains, and exits with 1 (%s)',
    async (signal, event, message) => {
      const dataDir = mkdtempSync(join(tmpdir(), 'drover-end-'));
      const started = await start(script, ready, { DROVER_DATA_DIR: dataDir });
      started.signal(signal);
      expect(await started.ended).toBe(1);
      const logged = started.output.split('\n').find((line) => line.includes('uncaught error: the process ends'));
      expect(JSON.parse(logged ?? '{}')).toMatchObject({ level: 60, event, err: { message } });
      expect(started.output).not.toContain('did not stop in order');
      rmSync(dataDir, { recursive: true, force: true });
    },
    120_000,
  );
});
