import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { Checkpoint } from '../../../activities/activity-context.ts';
import { createApp } from '../../../api/app.ts';
import { countStoredOutcomes } from '../../../services/executions/count-jobs.ts';
import { batchesIn, readBatch } from '../../../store/batches/batches.ts';
import { isTermination, type Termination } from '../../../store/batches/terminations.ts';
import { outcomePagesIn } from '../../../store/items/outcomes.ts';
import { Engine, eventually } from './engine/engine.ts';

let engine: Engine;
beforeAll(async () => {
  // jobs, seeds and pages of outcomes end at different places
  engine = await Engine.start({
    environment: { CAMUNDA_INVOCATIONS_PER_BATCH_JOB: '3', CAMUNDA_BATCH_JOBS_PER_SEED: '4' },
  });
});
afterAll(() => engine.stop());
afterEach(() => {
  vi.restoreAllMocks();
  engine.drover.atCheckpoint(undefined);
});

interface Statistics {
  readonly id: string;
  readonly totalJobs: number;
  readonly remainingJobs: number;
  readonly completedJobs: number;
  readonly failedJobs: number;
}

async function statistics(id: string): Promise<Statistics> {
  const { body } = await engine.send('GET', `/batch/statistics?batchId=${id}`);
  const [found] = body as Statistics[];
  if (found === undefined) throw new Error(`${id} is not listed`);
  return found;
}

async function stored(id: string): Promise<Termination> {
  const batch = await readBatch(engine.drover.services.database, id);
  if (batch === null || !isTermination(batch)) throw new Error(`${id} is no deletion of process instances`);
  return batch;
}

/** Accepts the deletion of instances of which every fifth does not exist. @returns the batch. */
async function begin(name: string, count: number): Promise<string> {
  const ids = Array.from({ length: count }, (_, n) => `${name}-${n}`);
  await engine.beginMany(
    'other',
    ids.filter((_, n) => n % 5 !== 4),
    'nobody',
  );
  return engine.delete({ processInstanceIds: ids, skipCustomListeners: true });
}

test("the stored counts of a batch's jobs agree with the outcomes at each moment, with activities delivered twice", async () => {
  const { database } = engine.drover.services;
  const failed = new Set<string>();
  const seen: { completed: number; failed: number }[] = [];
  engine.drover.atCheckpoint(async (at: Checkpoint, batchId) => {
    if (at !== 'outcomes-stored') return;
    const batch = await stored(batchId);
    const { completedJobs, failedJobs } = await statistics(batchId);
    seen.push({ completed: completedJobs, failed: failedJobs });
    // other activities may have stored outcomes that they have not noted yet
    const outcomes = await countStoredOutcomes(database, batch);
    expect(outcomes.completed).toBeGreaterThanOrEqual(completedJobs);
    expect(outcomes.failed).toBeGreaterThanOrEqual(failedJobs);
    if (failed.size < 3 && !failed.has(batchId + failed.size)) {
      failed.add(batchId + failed.size);
      throw new Error('lost after its outcomes were stored');
    }
  });
  const id = await begin('counted', 50);
  const { counts } = await engine.drover.ended(id);
  expect(counts).toMatchObject({ succeeded: 40, failed: 10 });
  expect(failed.size).toBe(3);
  const batch = await stored(id);
  const jobs = await countStoredOutcomes(database, { ...batch, result: undefined as never });
  expect(batch.jobs).toEqual({ run: 1, ...jobs });
  expect(await statistics(id)).toMatchObject({
    totalJobs: 17,
    completedJobs: jobs.completed,
    failedJobs: jobs.failed,
    remainingJobs: 17 - jobs.completed,
  });
  expect(seen.at(-1)).toEqual(jobs);
  expect(seen.map(({ completed }) => completed)).toEqual(seen.map(({ completed }) => completed).sort((a, b) => a - b));
}, 120_000);

test('a retried batch counts the jobs that earlier runs have completed, from its start on', async () => {
  const id = await begin('again', 30);
  await engine.drover.ended(id);
  const { completed, failed } = (await stored(id)).jobs ?? { completed: 0, failed: 0 };
  expect([completed > 0, failed > 0]).toEqual([true, true]);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  onTestFinished(() => release());
  engine.drover.atCheckpoint((at, batchId) => (at === 'deleted' && batchId === id ? held : Promise.resolve()));
  const { body } = await engine.send('GET', `/batch/${id}`);
  const { batchJobDefinitionId } = body as { batchJobDefinitionId: string };
  await engine.send('PUT', `/job-definition/${batchJobDefinitionId}/retries`, { retries: 1 });
  await eventually(async () => (await stored(id)).jobs?.run === 2, 'the first seed of the second run');
  expect(await statistics(id)).toMatchObject({ completedJobs: completed, failedJobs: 0 });
  release();
  await engine.drover.ended(id);
  expect((await stored(id)).jobs).toEqual({ run: 2, completed, failed });
}, 120_000);

test('a list of batches reads no outcomes, of running ones either', async () => {
  const { database } = engine.drover.services;
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  onTestFinished(() => release());
  engine.drover.atCheckpoint((at) => (at === 'outcomes-stored' ? held : Promise.resolve()));
  const running = await begin('listed', 20);
  await eventually(async () => (await stored(running)).jobs?.seed === 0, 'a first seed');
  const asked = vi.spyOn(outcomePagesIn(database), 'find');
  for (const path of ['/batch', '/batch/statistics', '/history/batch']) {
    const { status, body } = await engine.send('GET', path);
    expect([status, (body as { id: string }[]).some(({ id }) => id === running)]).toEqual([200, true]);
  }
  expect(asked).not.toHaveBeenCalled();
  asked.mockRestore();
  // a batch that an earlier version has begun is counted by its outcomes
  await batchesIn(database).updateOne({ _id: running }, { $unset: { jobs: '' } });
  // other activities may still store outcomes, and are held then
  const storedJobs = async () => (await countStoredOutcomes(database, await stored(running))).completed;
  await expect.poll(storedJobs).toBeGreaterThan(0);
  await expect.poll(async () => (await statistics(running)).completedJobs - (await storedJobs())).toBe(0);
  release();
  await engine.drover.ended(running);
}, 120_000);

/** The API without the check of its answers, because the check reads answers to their end. */
const unchecked = () => createApp(engine.drover.services);

/** Inserts a finished batch that is still listed as running, because it has failed jobs. */
async function failedBatch(): Promise<Termination> {
  const id = await engine.delete({ processInstanceIds: ['nobody'] });
  await engine.drover.ended(id);
  return stored(id);
}

/** More than one command of MongoDB returns, and more than one part of an answer. */
const MANY = 3_000;

test('a list without maxResults has every batch, and is written as it is read', async () => {
  const { database } = engine.drover.services;
  const finished = await failedBatch();
  await batchesIn(database).insertMany(Array.from({ length: MANY }, () => ({ ...finished, _id: uuidv7() })));
  const find = vi.spyOn(batchesIn(database), 'find');
  for (const path of ['/batch', '/batch/statistics', '/history/batch']) {
    const { body } = await engine.send('GET', path);
    expect(new Set((body as { id: string }[]).map(({ id }) => id)).size).toBeGreaterThanOrEqual(MANY);
    const some = await engine.send('GET', `${path}?firstResult=10&maxResults=7`);
    expect((some.body as { id: string }[]).map(({ id }) => id)).toEqual(
      (body as { id: string }[]).slice(10, 17).map(({ id }) => id),
    );
  }
  // if a caller reads only the beginning, no more batches are read
  const response = await unchecked().request('/engine-rest/batch');
  const cursor = find.mock.results.at(-1)?.value;
  const reader = response.body?.getReader();
  expect(new TextDecoder().decode((await reader?.read())?.value)).toMatch(/^\[\{"id":/);
  expect([cursor.id?.isZero(), cursor.killed]).toEqual([false, false]);
  await reader?.cancel();
  // the driver reports a cursor as closed only when the documents that it has read are consumed, too
  await eventually(async () => cursor.killed && cursor.id?.isZero(), 'an ended cursor');
}, 120_000);

test('if a list cannot be read to its end, the connection is broken, and the answer is not a valid shorter list', async () => {
  const { database } = engine.drover.services;
  const batch = await failedBatch();
  const cursor = {
    sort: () => cursor,
    skip: () => cursor,
    limit: () => cursor,
    async *[Symbol.asyncIterator]() {
      for (let read = 0; read < 1_000; read++) yield batch;
      throw new Error('MongoDB is unavailable');
    },
  };
  vi.spyOn(batchesIn(database), 'find').mockReturnValue(cursor as never);
  const response = await unchecked().request('/engine-rest/batch');
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
});
