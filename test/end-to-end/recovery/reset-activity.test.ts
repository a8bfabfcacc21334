import { MongoNetworkError } from 'mongodb';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Checkpoint } from '../../../activities/activity-context.ts';
import { intentsIn } from '../../../isolation/intents/intents.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';

/** An operator resets an activity that is being retried (`temporal activity reset`): its attempts are counted from 1 again. */
let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('town', { name: { type: 'string' } });
});
afterEach(() => drover.atCheckpoint(undefined));
afterAll(() => drover.stop());

/** Fails every attempt at a checkpoint as if MongoDB could not be reached. @returns how many have failed. */
function failAt(checkpoint: Checkpoint): () => number {
  let failed = 0;
  drover.atCheckpoint(async (at) => {
    if (at !== checkpoint) return;
    failed += 1;
    throw new MongoNetworkError('the connection is cut');
  });
  return () => failed;
}

/** Resets the only running activity of a batch, while it waits for its next attempt. */
async function resetActivity(batchId: string): Promise<void> {
  const { client } = drover.services;
  const workflowId = batchWorkflowId(batchId);
  const waiting = async () => {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    return raw.pendingActivities?.find(({ attempt }) => (attempt ?? 0) > 2)?.activityId ?? '';
  };
  await expect.poll(waiting, { timeout: 20_000 }).not.toBe('');
  await client.workflowService.resetActivity({
    namespace: drover.config.TEMPORAL_NAMESPACE,
    execution: { workflowId },
    id: await waiting(),
  });
}

test('an upload whose activity is reset while it is retried succeeds', async () => {
  const failed = failAt('intent-laid');
  const batchId = await drover.upload('town', [{ externalId: 'a', name: 'Ash' }]);
  await resetActivity(batchId);
  expect(failed()).toBeGreaterThanOrEqual(2);
  drover.atCheckpoint(undefined);
  expect((await drover.ended(batchId)).counts).toMatchObject({ succeeded: 1, failed: 0 });
  expect(await intentsIn(drover.services.database).countDocuments({ batchId })).toBe(0);
});

test('a delete whose activity is reset while it is retried succeeds', async () => {
  await drover.ended(await drover.upload('town', [{ externalId: 'b', name: 'Birch' }]));
  const failed = failAt('marked');
  const { body } = await drover.request<{ batchId: string }>('DELETE', '/api/resources/town/batch', {
    body: { externalIds: ['b'] },
  });
  const { batchId } = body.data;
  await resetActivity(batchId);
  expect(failed()).toBeGreaterThanOrEqual(2);
  drover.atCheckpoint(undefined);
  const batch = await drover.ended(batchId);
  expect(batch.counts).toMatchObject({ succeeded: 1, failed: 0 });
  expect(batch.actions.deleted).toBe(1);
});
