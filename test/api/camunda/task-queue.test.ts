import { afterAll, beforeAll, expect, test } from 'vitest';
import { terminationTaskQueue } from '../../../workflows/messages.ts';
import { Engine } from './engine/engine.ts';
import { Gate } from './engine/gate.ts';

/** How many activities a worker takes from the task queue that all batches share. */
const PLACES_OF_A_WORKER = 16;

let engine: Engine;
let gate: Gate;
beforeAll(async () => {
  engine = await Engine.start();
  gate = new Gate(engine.drover);
});
afterAll(() => engine.stop());

test('terminations that wait for executions to end delay no other batch', async () => {
  const ids = Array.from({ length: PLACES_OF_A_WORKER }, (_, n) => `held-${n}`);
  await engine.beginMany('sleeper', ids);
  gate.hold('target-stored');
  const half = PLACES_OF_A_WORKER / 2;
  const deletions = [
    await engine.delete({ processInstanceIds: ids.slice(0, half) }),
    await engine.delete({ processInstanceIds: ids.slice(half) }),
  ];
  await gate.holds(PLACES_OF_A_WORKER);
  const { drover } = engine;
  await drover.define('thing', { n: { type: 'number' } });
  const upload = await drover.upload('thing', [{ externalId: 'a', n: 1 }]);
  expect(await drover.ended(upload)).toMatchObject({ status: 'success' });
  gate.open();
  for (const id of deletions) expect(await drover.ended(id)).toMatchObject({ status: 'success' });
});

test('activities of terminations have a task queue of their own', async () => {
  await engine.begin('sleeper', 'one');
  const id = await engine.delete({ processInstanceIds: ['one'] });
  await engine.drover.ended(id);
  const { events } = await engine.client.workflow.getHandle(`batch-${id}`).fetchHistory();
  const scheduled = (events ?? []).flatMap((event) => event.activityTaskScheduledEventAttributes ?? []);
  const queues = scheduled.map(({ activityType, taskQueue }) => [activityType?.name, taskQueue?.name]);
  const { TEMPORAL_TASK_QUEUE: common } = engine.drover.config;
  expect(queues).toContainEqual(['terminateExecutions', terminationTaskQueue(common)]);
  expect(queues).toContainEqual(['planBatch', common]);
});
