import { afterAll, beforeAll, expect, test } from 'vitest';
import { spawnWorker } from '../harness.ts';
import { Engine } from './engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({
    environment: { CAMUNDA_INVOCATIONS_PER_BATCH_JOB: '10', CAMUNDA_BATCH_JOBS_PER_SEED: '20' },
  });
});
afterAll(() => engine.stop());

test('1,000 sleeping ones by query, with the worker killed in the middle, seed by seed', async () => {
  const { drover } = engine;
  await drover.stopWorker();
  await engine.beginMany(
    'other',
    Array.from({ length: 1000 }, (_, n) => `other-${n}`),
  );
  const killed = await spawnWorker(drover, { checkpoint: 'deleted', nth: 30 });
  const id = await engine.delete({ processInstanceQuery: { processDefinitionKey: 'other' }, deleteReason: 'many' });
  await killed.ended;
  const [middle] = (await engine.send('GET', `/batch/statistics?batchId=${id}`)).body as [Record<string, number>];
  expect(middle).toMatchObject({
    totalJobs: 100,
    jobsCreated: 40,
    invocationsPerBatchJob: 10,
    batchJobsPerSeed: 20,
    failedJobs: 0,
  });
  expect(middle.completedJobs).toBeGreaterThan(10);
  expect(middle.remainingJobs).toBeGreaterThan(50);
  await drover.startWorker();
  const batch = await drover.ended(id, { timeoutMs: 120_000 });
  expect(batch.counts).toMatchObject({ succeeded: 1000, failed: 0, skipped: 0 });
  expect((await engine.send('POST', '/process-instance/count', { processDefinitionKey: 'other' })).body).toEqual({
    count: 0,
  });
  expect((await engine.send('GET', '/history/process-instance/other-999')).body).toMatchObject({
    deleteReason: 'many',
  });
}, 180_000);
