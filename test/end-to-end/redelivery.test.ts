import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../harness.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('country', { name: { type: 'string' }, note: { type: 'string' } }, { required: ['name'] });
});
afterAll(() => drover.stop());

test('an item that failed before a later one created its resource has failed, also where both are delivered again', async () => {
  let isDeliveredAgain = false;
  drover.atCheckpoint(async (at) => {
    if (at !== 'written' || isDeliveredAgain) return;
    isDeliveredAgain = true;
    throw ApplicationFailure.retryable('the answer of MongoDB is lost');
  });
  const id = await drover.upload('country', [
    { externalId: 'DE', note: 'comes before there is a name' },
    { externalId: 'DE', name: 'Germany' },
  ]);
  await drover.ended(id);
  expect(isDeliveredAgain).toBe(true);
  expect(await drover.items(id)).toMatchObject([
    { status: 'failed', errors: [{ field: 'name' }] },
    { status: 'succeeded', action: 'created' },
  ]);
  const { body } = await drover.request<{ versionNumber: number; data: object }>('GET', '/api/resources/country/DE');
  expect(body.data).toMatchObject({ versionNumber: 1, data: { externalId: 'DE', name: 'Germany' } });
});
