import { afterAll, beforeAll, expect, test } from 'vitest';
import { Engine, eventually } from './engine/engine.ts';
import { Gate } from './engine/gate.ts';

let engine: Engine;
let gate: Gate;
beforeAll(async () => {
  engine = await Engine.start({ environment: { CAMUNDA_BATCH_JOBS_PER_SEED: '1' } });
  gate = new Gate(engine.drover);
});
afterAll(() => engine.stop());

const found = async (query: string): Promise<string[]> => {
  const { body } = await engine.send('GET', `/batch?${query}`);
  const count = await engine.send('GET', `/batch/count?${query}`);
  expect(count.body).toEqual({ count: (body as unknown[]).length });
  return (body as { id: string }[]).map(({ id }) => id);
};

test('a running batch is one with failures once a job has failed; when it is retried, it shows the finished jobs from its start on', async () => {
  const instances = ['first', 'second'];
  await Promise.all(instances.map((id) => engine.begin('sleeper', id)));
  gate.hold('deleted', 1);
  const id = await engine.delete({ processInstanceIds: ['nobody', ...instances] });
  await gate.holds(1);
  expect(await found('withFailures=true')).toEqual([id]);
  expect(await found('withoutFailures=true')).toEqual([]);
  gate.open();
  expect((await engine.drover.ended(id)).counts).toMatchObject({ succeeded: 2, failed: 1 });
  expect(await found('withFailures=true')).toEqual([id]);

  gate.hold('deleted');
  const { body } = await engine.send('GET', `/batch/${id}`);
  const { batchJobDefinitionId } = body as { batchJobDefinitionId: string };
  expect((await engine.send('PUT', `/job-definition/${batchJobDefinitionId}/retries`, { retries: 1 })).status).toBe(
    204,
  );
  await gate.holds(1);
  const { counts, source } = await engine.drover.batch(id);
  expect([source, counts]).toMatchObject(['workflow', { queued: 1, succeeded: 2, failed: 0 }]);
  expect(await found('withFailures=true')).toEqual([]);
  expect(await found('withoutFailures=true')).toEqual([id]);
  gate.open();
  expect((await engine.drover.ended(id)).counts).toMatchObject({ queued: 0, succeeded: 2, failed: 1 });
  await eventually(async () => (await found('withFailures=true')).includes(id), 'failures again');
});

test('processInstanceIds as a repeated parameter is the union of all', async () => {
  await engine.beginMany('sleeper', ['u-1', 'u-2', 'u-3', 'u-4']);
  const { body } = await engine.send(
    'GET',
    '/process-instance?processInstanceIds=u-1,u-2&processInstanceIds=u-3&processInstanceIds=nobody',
  );
  expect((body as { id: string }[]).map(({ id }) => id).sort()).toEqual(['u-1', 'u-2', 'u-3']);
  const { body: count } = await engine.send(
    'GET',
    '/process-instance/count?processInstanceIds=u-1&processInstanceIds=u-4',
  );
  expect(count).toEqual({ count: 2 });
});

test('a body of the façade that gives a member twice, or a number that would be rounded, selects nothing', async () => {
  for (const body of [
    '{"processInstanceIds":["u-1"],"processInstanceIds":["u-2"]}',
    '{"processInstanceQuery":{"variables":[{"name":"x","operator":"eq","value":9007199254740993}]}}',
  ]) {
    const { status, body: answer } = await engine.send('POST', '/process-instance/delete', body);
    expect([body, status, answer]).toEqual([
      body,
      400,
      {
        type: 'InvalidRequestException',
        message: expect.stringMatching(/is given twice|cannot hold exactly/),
        code: null,
      },
    ]);
  }
});
