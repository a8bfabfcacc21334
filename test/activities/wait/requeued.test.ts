import { CancelledFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createActivityContext } from '../../../activities/activity-context.ts';
import { expireItems } from '../../../activities/expire-items.ts';
import { finishBatch } from '../../../activities/finish-batch.ts';
import { lookForDependencies } from '../../../activities/look-for-dependencies.ts';
import { waitsIn } from '../../../store/items/waits.ts';
import { Drover } from '../../harness/drover.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('town', { near: { $ref: 'reach:schemas/town' } });
});
afterAll(() => drover.stop());

test.each(['check', 'expire', 'finish'] as const)(
  'an attempt to %s that was cancelled ends at its next step, and changes nothing',
  async (kind) => {
    const id = await drover.upload('town', [{ externalId: kind, near: `no-${kind}` }], { dependencyWaitTimeout: 600 });
    await drover.waiting(id);
    const context = createActivityContext({ ...drover.services, retentionDays: 0 });
    const [about, indexes] = [{ batchId: id, run: 1 }, [0]];
    const environment = new MockActivityEnvironment();
    environment.cancel();
    const attempt = environment.run<[], unknown, () => Promise<unknown>>(() => {
      if (kind === 'check') return lookForDependencies(context, { ...about, indexes });
      if (kind === 'expire') return expireItems(context, { ...about, indexes, asOf: Date.now() + 1_000_000 });
      return finishBatch(context, { ...about, cancelled: true, cascaded: 0 });
    });
    await expect(attempt).rejects.toThrow(CancelledFailure);
    expect(await drover.batch(id)).toMatchObject({ status: 'waiting', counts: { pending: 1 } });
    expect((await drover.items(id))[0]?.status).toBe('pending');
    expect(await waitsIn(drover.services.database).countDocuments({ batchId: id })).toBe(1);
  },
);
