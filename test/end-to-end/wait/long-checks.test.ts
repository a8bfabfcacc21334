import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Checkpoint, createActivityContext } from '../../../activities/activity-context.ts';
import { lookForDependencies } from '../../../activities/look-for-dependencies.ts';
import { waitsIn } from '../../../store/items/waits.ts';
import { KEYS_AT_ONCE } from '../../../store/mongodb/parts.ts';
import type { ItemsOfBatch } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';

/** Batches that miss so many resources that checking them takes long. */

const WAIT = { dependencyWaitTimeout: 600 };

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('link', { to: { $ref: 'reach:schemas/link' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

/** Holds the next check of a batch other than `except`. @returns when it is held: its batch, and a function that releases it. */
function holdCheck(except?: string): Promise<{ batchId: string; release: () => void }> {
  return new Promise((resolve) => {
    drover.atCheckpoint(async (at: Checkpoint, batchId) => {
      if (at !== 'references-checked' || batchId === except) return;
      drover.atCheckpoint(undefined);
      await new Promise<void>((release) => resolve({ batchId, release }));
    });
  });
}

test('a batch that is cancelled during a check applies nothing more', async () => {
  const left = await drover.upload('link', [{ externalId: 'left', to: 'right' }], WAIT);
  await drover.waiting(left);
  const held = holdCheck(left);
  const right = await drover.upload('link', [{ externalId: 'right', to: 'left' }], WAIT);
  const { batchId, release } = await held;
  expect(batchId).toBe(right);
  expect((await drover.request('POST', `/api/batches/${right}/cancel`)).status).toBe(200);
  release();
  expect(await drover.ended(right)).toMatchObject({ status: 'cancelled', counts: { cancelled: 1 } });
  expect((await drover.batch(left)).counts).toMatchObject({ pending: 1 });
  // what the batch leaves behind is not waited for
  await drover.ended(await drover.upload('link', [{ externalId: 'right' }]));
  expect((await drover.ended(left)).status).toBe('success');
});

test('thousands of missing references are checked in steps, each with a heartbeat, and their registrations are removed on cancel', async () => {
  const [items, each] = [12, 1_000];
  const resources = Array.from({ length: items }, (_, n) => ({
    externalId: `${n}`,
    to: Array.from({ length: each }, (_unused, m) => `${n}-${m}`),
  }));
  await drover.define('many', { to: { type: 'array', items: { $ref: 'reach:schemas/many' } } });
  const id = await drover.upload('many', resources, WAIT);
  expect((await drover.waiting(id)).counts.pending).toBe(items);
  const environment = new MockActivityEnvironment();
  let beats = 0;
  environment.on('heartbeat', () => {
    beats += 1;
  });
  const context = createActivityContext({ ...drover.services, retentionDays: 0 });
  const indexes = resources.map((_, index) => index);
  const check = (input: ItemsOfBatch) => lookForDependencies(context, input);
  expect(await environment.run(check, { batchId: id, run: 1, indexes })).toMatchObject({ settled: [], ready: [] });
  // resources that exist, registrations, and items of other batches that would create them
  expect(beats).toBeGreaterThanOrEqual((3 * items * each) / KEYS_AT_ONCE);
  await drover.request('POST', `/api/batches/${id}/cancel`);
  expect((await drover.ended(id)).counts.cancelled).toBe(items);
  expect(await waitsIn(drover.services.database).countDocuments({ batchId: id })).toBe(0);
});
