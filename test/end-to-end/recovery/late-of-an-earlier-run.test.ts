import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createActivityContext } from '../../../activities/activity-context.ts';
import { finishBatch } from '../../../activities/finish-batch.ts';
import { MemoryAllowance } from '../../../services/deletes/memory-allowance.ts';
import { readOutcomes, type StoredOutcome } from '../../../store/items/outcomes.ts';
import { requeueOutcomes } from '../../../store/items/requeue-outcomes.ts';
import { writeOutcomes } from '../../../store/items/write-outcomes.ts';
import { Drover } from '../../harness/drover.ts';

/** Late commands of a run that is over change nothing of a later run. */

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('town', { name: { type: 'string' }, near: { $ref: 'reach:schemas/town' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

const act = (verb: string, id: string) => drover.request('POST', `/api/batches/${id}/${verb}`);

/** A promise that is resolved from outside. */
function moment(): { came: Promise<void>; come: () => void } {
  let come = (): void => undefined;
  const came = new Promise<void>((resolve) => (come = resolve));
  return { came, come };
}

test('a finish inside an abandoned workflow task does not cancel items that a retry has queued', async () => {
  const [goOn, applying, apply] = [moment(), moment(), moment()];
  const id = await drover.upload('town', [{ externalId: 'kept', near: 'comes' }], { dependencyWaitTimeout: 600 });
  await drover.waiting(id);
  let begun = 0;
  drover.atCheckpoint(async (at, batchId) => {
    if (batchId !== id) return;
    if (at === 'finishing' && ++begun === 1) await goOn.came;
    if (at !== 'inserted') return;
    applying.come();
    await apply.came;
  });
  await act('cancel', id);
  // by the finish that follows the held one
  expect((await drover.ended(id)).status).toBe('cancelled');
  await drover.ended(await drover.upload('town', [{ externalId: 'comes' }]));
  expect((await act('retry', id)).status).toBe(202);
  await applying.came;
  goOn.come();
  // the late finish writes, or finds that its time is over, while the retry is held
  for (let n = 0; n < 20; n++) await drover.items(id);
  apply.come();
  expect(await drover.ended(id)).toMatchObject({ status: 'success', counts: { succeeded: 1, cancelled: 0 } });
});

test('a late finish of an ended run does not prevent a retry from being woken', async () => {
  const [arrived, goOn] = [moment(), moment()];
  const { database, client, logger } = drover.services;
  const context = createActivityContext({
    database,
    client,
    logger,
    retentionDays: 0,
    planningMemory: new MemoryAllowance(0),
    taskQueue: drover.config.TEMPORAL_TASK_QUEUE,
    activityTimeoutSeconds: 60,
    checkpoint: async () => {
      arrived.come();
      await goOn.came;
    },
  });
  const many = Array.from({ length: 30 }, (_, n) => `much-${n}`);
  await drover.define('region', { towns: { type: 'array', items: { $ref: 'reach:schemas/town' } } });
  const id = await drover.upload('region', [{ externalId: 'much', towns: many }], { dependencyWaitTimeout: 600 });
  await drover.waiting(id);
  // as recovery does when the workflow of a batch is lost
  const attempt = new MockActivityEnvironment(
    { startToCloseTimeoutMs: 60_000 },
    { logger: new DefaultLogger('ERROR') },
  );
  const late = attempt.run(() =>
    finishBatch(context, { batchId: id, run: 1, cancelled: true, cascaded: 0, abandoned: true }),
  );
  await arrived.came;
  await act('cancel', id);
  await drover.ended(id);
  expect((await act('retry', id)).status).toBe(202);
  await drover.waiting(id);
  goOn.come();
  await late;
  const towns = many.map((externalId) => ({ externalId }));
  await drover.ended(await drover.upload('town', towns));
  expect(await drover.ended(id)).toMatchObject({ status: 'success', actions: { created: 1 } });
});

describe('outcomes', () => {
  const run = (number: number) =>
    ({ _id: 'retried', operation: 'upload', run: number, pageSize: 50, total: 3 }) as const;
  const cancelled: StoredOutcome = { status: 'cancelled', errors: [], attempts: 1 };
  const succeeded: StoredOutcome = { status: 'succeeded', action: 'created', attempts: 2 };

  test('of an earlier run do not overwrite items that a later run has queued', async () => {
    const { database } = drover.services;
    await writeOutcomes(database, run(1), new Map([0, 1, 2].map((index) => [index, cancelled])), true);
    await requeueOutcomes(database, run(2), await readOutcomes(database, run(2), [0, 1, 2]));
    await writeOutcomes(database, run(1), new Map([[0, cancelled]]));
    await writeOutcomes(database, run(1), new Map([0, 1, 2].map((index) => [index, cancelled])), true);
    const queued = { status: 'queued', attempts: 1 };
    expect([...(await readOutcomes(database, run(2), [0, 1, 2])).values()]).toEqual([queued, queued, queued]);
    await writeOutcomes(database, run(2), new Map([[1, succeeded]]));
    expect((await readOutcomes(database, run(2), [1])).get(1)).toEqual(succeeded);
  });

  test('are requeued once in a run, however late requeuing is repeated', async () => {
    const { database } = drover.services;
    const before = await readOutcomes(database, run(2), [0]);
    await writeOutcomes(database, run(2), new Map([[0, cancelled]]));
    await requeueOutcomes(database, run(2), new Map([[0, cancelled]]));
    expect(before.get(0)?.status).toBe('queued');
    expect((await readOutcomes(database, run(2), [0])).get(0)).toEqual(cancelled);
    await requeueOutcomes(database, run(3), new Map([[0, cancelled]]));
    expect((await readOutcomes(database, run(3), [0])).get(0)?.status).toBe('queued');
  });

  test('that have changed since they were read are read again, and requeued as they are', async () => {
    const { database } = drover.services;
    await writeOutcomes(database, run(3), new Map([[0, cancelled]]));
    const read = new Map(
      [0, 2].map((index) => [index, { status: 'failed', errors: [], attempts: 1 } as StoredOutcome]),
    );
    await requeueOutcomes(database, run(4), read);
    const after = await readOutcomes(database, run(4), [0, 1]);
    expect(after.get(0)).toEqual({ status: 'queued', attempts: 1 });
    expect(after.get(1)).toEqual(succeeded);
  });
});
