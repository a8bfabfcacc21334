import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Engine } from './engine/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start();
});
afterAll(() => engine.stop());

test('a process instance that was ended by an activity which then failed for good counts as deleted', async () => {
  await engine.beginMany('sleeper', ['ended']);
  engine.drover.atCheckpoint(async (at) => {
    if (at === 'deleted') throw ApplicationFailure.nonRetryable('a bug behind the end of the execution', 'Bug');
  });
  const id = await engine.delete({ processInstanceIds: ['ended'] });
  const batch = await engine.drover.ended(id);
  engine.drover.atCheckpoint(undefined);
  expect(await engine.status('ended')).not.toBe('RUNNING');
  expect(batch).toMatchObject({ status: 'success', counts: { succeeded: 1, failed: 0 }, actions: { deleted: 1 } });
});
