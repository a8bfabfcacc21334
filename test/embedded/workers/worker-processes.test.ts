import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createDrover } from '@drover/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../../embedded/ports.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { node, Program } from '../../../testkit/program.ts';
import { batchWorkflowId, recoveryWorkflowId } from '../../../workflows/messages.ts';
import { addressesOf, Drover } from '../../harness/drover.ts';

/** What `npm start` does with its worker processes, on the servers of the run. */

/** Too many for a small batch, which is all done by the process of workflows. */
const ITEMS = 120;
/** Temporal's `PENDING_ACTIVITY_STATE_STARTED`. */
const STARTED = 2;

let drover: Drover;
const programs: Program[] = [];
beforeAll(async () => {
  drover = await Drover.start({ worker: false });
  await drover.define('thing', { n: { type: 'number' } });
});
afterEach(async () => {
  for (const program of programs.splice(0)) await program.kill();
});
afterAll(async () => {
  await drover.services.client.workflow.getHandle(recoveryWorkflowId(drover.services.taskQueue)).terminate();
  await drover.stop();
});

/** The program of `npm start`; its log says the pid of each worker process. */
function npmStart(environment: Record<string, string> = {}): Program {
  const program = Program.spawn({
    name: 'npm start',
    command: node(join(import.meta.dirname, '../../../embedded/start.ts')),
    environment: {
      ...addressesOf(drover.config),
      PORT: '0',
      WORKER_PROCESSES: '1',
      ACTIVITY_TIMEOUT_SECONDS: '5',
      ...environment,
    },
    ready: /^ready (http:\/\/\S+)$/,
  });
  programs.push(program);
  return program;
}

/** Pids of the worker processes for activities that have run so far, the latest first. */
const workersOf = ({ output }: Program): number[] =>
  [...output.matchAll(/"pid":(\d+),"msg":"worker process \d+ \(activities\) runs"/g)]
    .map(([, pid]) => Number(pid))
    .reverse();

async function started(environment?: Record<string, string>): Promise<{ program: Program; worker: number }> {
  const program = npmStart(environment);
  await program.untilReady();
  await expect.poll(() => workersOf(program)).toHaveLength(1);
  return { program, worker: workersOf(program)[0] ?? 0 };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function upload(program: Program, prefix: string, count = ITEMS): Promise<string> {
  const things = Array.from({ length: count }, (_, n) => ({ externalId: `${prefix}-${n}`, n }));
  return (await createDrover({ url: program.ready }).resources.upload('thing', things)).batchId;
}

test('a worker process that is killed is started again and named, and the activity that it had begun continues', async () => {
  const { program, worker } = await started();
  // it receives the task, and does nothing
  process.kill(worker, 'SIGSTOP');
  const id = await upload(program, 'killed');
  const workflow = drover.services.client.workflow.getHandle(batchWorkflowId(id));
  await expect
    .poll(async () => (await workflow.describe()).raw.pendingActivities?.map(({ state }) => state))
    .toEqual([STARTED]);
  process.kill(worker, 'SIGKILL');
  expect(await drover.ended(id)).toMatchObject({ status: 'success', counts: { succeeded: ITEMS } });
  expect(program.output).toContain('worker process 2 (activities) has ended (SIGKILL): it is started again\n');
  const [next] = workersOf(program);
  expect([next === worker, isAlive(next ?? 0), isAlive(worker)]).toEqual([false, true, false]);
});

test('a worker process ends with npm start, even if that was killed', async () => {
  const { program, worker } = await started();
  expect(isAlive(worker)).toBe(true);
  await program.kill();
  await expect.poll(() => isAlive(worker)).toBe(false);
});

test('an npm start that is asked to stop lets its worker processes finish what they have begun', async () => {
  const { program, worker } = await started({ RESOURCES_PER_ACTIVITY: '5' });
  const ids = await Promise.all(['x', 'y'].map((prefix) => upload(program, prefix, 500)));
  const resources = resourcesIn(drover.services.database);
  await expect.poll(() => resources.countDocuments({ externalId: /^[xy]-/ })).toBeGreaterThan(0);
  program.signal('SIGTERM');
  expect(await program.ended).toBe(0);
  expect(isAlive(worker)).toBe(false);
  expect(program.output).toMatch(/"service":"worker",.*"the worker drains"/);
  expect(program.output).not.toContain('in order');
  expect(program.output).not.toContain('started again');

  // what was left continues, and nothing was done twice
  await drover.startWorker();
  for (const id of ids) expect((await drover.ended(id)).counts.succeeded).toBe(500);
  expect(await resources.distinct('version', { externalId: /^[xy]-/ })).toEqual([1]);
  await drover.stopWorker();
});

test('a worker process that cannot start is the reason why npm start cannot', async () => {
  const port = await freePort();
  const other = createServer().listen(port + 1, '127.0.0.1');
  await once(other, 'listening');
  try {
    const program = npmStart({ WORKER_METRICS_ADDRESS: `127.0.0.1:${port}` });
    expect(await program.ended).toBe(1);
    expect(program.output).toContain('drover cannot start: worker process 2 (activities) ended at its start (1)\n');
  } finally {
    other.close();
  }
});
