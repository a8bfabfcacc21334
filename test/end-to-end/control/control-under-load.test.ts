import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { recordRunning } from '../../../store/batches/run-state.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { batchWorkflowId, suspendSignal } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';

/** A suspension, cancellation or removal holds from the answer on, whichever activities wait or run. */

/** Resources that may be written after an answer: those of the running slice. */
const SLICE = 100;

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({
    environment: { WRITERS_PER_WORKER: '1', ACTIVITY_TIMEOUT_SECONDS: '60', RESOURCES_PER_ACTIVITY: '1000' },
  });
  await drover.define('town', { name: { type: 'string' }, near: { $ref: 'reach:schemas/town' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

const act = (verb: string, id: string) => drover.request<BatchView>('POST', `/api/batches/${id}/${verb}`);
const remove = (id: string) => drover.request('DELETE', `/api/batches/${id}`);
const handleOf = (id: string) => drover.services.client.workflow.getHandle(batchWorkflowId(id));
const towns = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ externalId: `${prefix}-${n}`, name: 'Town' }));
const stored = (prefix: string): Promise<number> =>
  resourcesIn(drover.services.database).countDocuments({ externalId: new RegExp(`^${prefix}-`) });

/**
 * Holds the activity that reaches a checkpoint for the `nth` time, or each activity. @returns `held` resolves when the first one is held,
 * `open` releases all of them.
 */
function holdAt(checkpoint: string, nth: number | 'each' = 1): { held: Promise<void>; open: () => void } {
  let [arrive, open] = [(): void => undefined, (): void => undefined];
  const held = new Promise<void>((resolve) => (arrive = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  let count = 0;
  drover.atCheckpoint(async (at) => {
    count += at === checkpoint ? 1 : 0;
    if (at !== checkpoint || (nth !== 'each' && count !== nth)) return;
    arrive();
    await opened;
  });
  return { held, open };
}

/** Waits until a worker has started an activity of a batch. */
async function begun(id: string, type: string): Promise<void> {
  for (;;) {
    const { raw } = await handleOf(id).describe();
    const isThere = raw.pendingActivities?.some(
      ({ activityType, lastStartedTime }) => activityType?.name === type && lastStartedTime,
    );
    if (isThere) return;
  }
}

/** Waits until the workflow of a batch has stored the state that follows from the latest signal of a name. */
async function recordedSince(id: string, signalName: string): Promise<void> {
  for (;;) {
    const events = (await handleOf(id).fetchHistory()).events ?? [];
    const signalled = events.findLastIndex(
      (event) => event.workflowExecutionSignaledEventAttributes?.signalName === signalName,
    );
    if (signalled < 0) continue;
    const record = events
      .slice(signalled)
      .find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'recordState');
    const isStored = events.some(
      ({ activityTaskCompletedEventAttributes: completed }) =>
        completed && record && String(completed.scheduledEventId) === String(record.eventId),
    );
    if (isStored) return;
  }
}

describe('a backlog that waits behind a busy worker', () => {
  test('writes nothing of a batch after suspend, cancel or delete was answered with 200', async () => {
    const busy = holdAt('inserted');
    const first = await drover.upload('town', towns('busy', 30));
    await busy.held;
    const [suspended, cancelled, deleted] = await Promise.all(
      ['halted', 'cut', 'gone'].map((prefix) => drover.upload('town', towns(prefix, 100))),
    );
    const ids = [suspended, cancelled, deleted] as [string, string, string];
    await Promise.all(ids.map((id) => begun(id, 'applyItems')));
    expect((await act('suspend', ids[0])).status).toBe(200);
    expect((await act('cancel', ids[1])).status).toBe(200);
    expect((await remove(ids[2])).status).toBe(200);
    busy.open();
    expect((await drover.ended(first)).status).toBe('success');
    expect(await drover.ended(ids[1])).toMatchObject({
      status: 'cancelled',
      counts: { succeeded: 0, cancelled: 100 },
    });
    const after = await drover.upload('town', towns('after', 10));
    expect((await drover.ended(after)).status).toBe('success');
    expect(await Promise.all(['halted', 'cut', 'gone'].map(stored))).toEqual([0, 0, 0]);
    expect(await drover.batch(ids[0])).toMatchObject({ suspended: true, counts: { queued: 100 } });
    await act('resume', ids[0]);
    expect(await drover.ended(ids[0])).toMatchObject({ status: 'success', actions: { created: 100 } });
  });

  test('deletes nothing of a batch that was suspended, and everything when the batch is resumed', async () => {
    await drover.ended(await drover.upload('town', towns('doomed', 60)));
    // steps run side by side
    const busy = holdAt('marked', 'each');
    const id = await drover.delete('town', { externalIds: towns('doomed', 60).map(({ externalId }) => externalId) });
    await busy.held;
    expect((await act('suspend', id)).status).toBe(200);
    busy.open();
    await drover.until(id, (batch) => batch.suspended);
    await drover.ended(await drover.upload('town', towns('meanwhile', 3)));
    expect(await resourcesIn(drover.services.database).countDocuments({ leaving: { $exists: true } })).toBe(0);
    expect(await stored('doomed')).toBe(60);
    await act('resume', id);
    expect(await drover.ended(id)).toMatchObject({ status: 'success', actions: { deleted: 60 } });
  });
});

describe('a batch of 1000 in the middle of its one activity', () => {
  test('that is suspended stops after its slice, and continues where it stopped', async () => {
    const middle = holdAt('inserted', 4);
    const id = await drover.upload('town', towns('half', 1000));
    await middle.held;
    expect((await act('suspend', id)).status).toBe(200);
    const then = await stored('half');
    middle.open();
    await drover.until(id, (batch) => batch.counts.succeeded > 0);
    expect(await stored('half')).toBeLessThanOrEqual(then + SLICE);
    const { counts } = await drover.batch(id);
    expect(counts).toMatchObject({ succeeded: 4 * SLICE, queued: 1000 - 4 * SLICE });
    await act('resume', id);
    expect(await drover.ended(id)).toMatchObject({
      status: 'success',
      counts: { succeeded: 1000 },
      actions: { created: 1000, updated: 0 },
    });
  });

  test('that is cancelled keeps what it has written, and no more', async () => {
    const middle = holdAt('inserted', 2);
    const id = await drover.upload('town', towns('short', 1000));
    await middle.held;
    expect((await act('cancel', id)).status).toBe(200);
    middle.open();
    expect(await drover.ended(id)).toMatchObject({
      status: 'cancelled',
      counts: { succeeded: 2 * SLICE, cancelled: 1000 - 2 * SLICE },
    });
    expect(await stored('short')).toBe(2 * SLICE);
  });

  test('that a program cancels by signal stops too, once the workflow has stored the cancellation', async () => {
    const middle = holdAt('inserted', 2);
    const id = await drover.upload('town', towns('signalled', 1000));
    await middle.held;
    await handleOf(id).cancel();
    for (;;) if ((await batchesIn(drover.services.database).findOne({ _id: id }))?.cancelRequested) break;
    middle.open();
    const { status, counts } = await drover.ended(id);
    expect([status, counts.succeeded]).toEqual(['cancelled', 2 * SLICE]);
  });
});

describe('a control request of a caller', () => {
  test('is not undone when the workflow stores an earlier state', async () => {
    const id = await drover.upload('town', [{ externalId: 'slow', near: 'void' }], { dependencyWaitTimeout: 60 });
    await drover.waiting(id);
    await act('suspend', id);
    // from here on only this test stores anything of this batch
    await recordedSince(id, suspendSignal.name);
    const { database } = drover.services;
    const batch = { batchId: id, run: 1 };
    const late = { status: 'processing' as const, suspended: false };
    await recordRunning(database, batch, { ...late, asked: null }, 'late');
    expect(await batchesIn(database).findOne({ _id: id })).toMatchObject({ status: 'processing', suspended: true });
    const { asked } = (await batchesIn(database).findOne({ _id: id })) ?? {};
    await recordRunning(database, batch, { ...late, asked: asked?.token ?? '' }, 'late');
    expect(await batchesIn(database).findOne({ _id: id })).toMatchObject({ suspended: false });
    await handleOf(id).signal(suspendSignal);
    for (;;) if ((await batchesIn(database).findOne({ _id: id }))?.suspended) break;
    await act('cancel', id);
    await drover.ended(id);
  });
});
