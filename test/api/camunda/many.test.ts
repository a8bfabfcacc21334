import { afterAll, beforeAll, expect, test } from 'vitest';
import { spawnWorker } from '../../harness/drover.ts';
import { Engine } from './engine/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({
    environment: {
      CAMUNDA_INVOCATIONS_PER_BATCH_JOB: '10',
      CAMUNDA_BATCH_JOBS_PER_SEED: '20',
      // as long as it may take on a busy machine
      CAMUNDA_TERMINATION_GRACE_SECONDS: '60',
    },
  });
  await engine.drover.stopWorker();
});
afterAll(() => engine.stop());

const named = (type: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${type}-${n}`);

test('1,000 sleeping instances by query, seed by seed, with the worker killed in the middle', async () => {
  const { drover } = engine;
  const asked = named('sleeper', 100);
  const [killed] = await Promise.all([
    spawnWorker(drover, { checkpoint: 'deleted', nth: 40 }),
    engine.beginMany('other', named('other', 1000), 'nobody'),
    engine.beginMany('sleeper', asked),
  ]);
  // In addition to those that are terminated, some receive a cancellation request: the worker dies with both under way.
  const cancelling = await engine.delete({ processInstanceIds: asked });
  const id = await engine.delete({
    processInstanceQuery: { processDefinitionKey: 'other' },
    skipCustomListeners: true,
    deleteReason: 'many',
  });
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
  const cancelled = await drover.ended(cancelling, { timeoutMs: 120_000 });
  expect(cancelled.counts).toMatchObject({ succeeded: 100, failed: 0, skipped: 0 });
  for (const processDefinitionKey of ['other', 'sleeper']) {
    const { body } = await engine.send('POST', '/process-instance/count', { processDefinitionKey });
    expect(body).toEqual({ count: 0 });
  }
  expect((await engine.send('GET', '/history/process-instance/other-999')).body).toMatchObject({
    deleteReason: 'many',
  });
  expect(new Set(await Promise.all(asked.map((one) => engine.status(one))))).toEqual(new Set(['CANCELLED']));
}, 180_000);
