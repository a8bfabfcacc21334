import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { pendingItemsIn } from '../../../store/items/pending-documents.ts';
import { waitsIn } from '../../../store/items/waits.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { batchWorkflowId, cancelSignal, resumeSignal, suspendSignal } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { acceptedOnly, acceptedUpload } from '../../harness/left-behind.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { RESOURCES_PER_ACTIVITY: '1', ACTIVITY_TIMEOUT_SECONDS: '30' } });
  await drover.define('town', { name: { type: 'string' }, near: { $ref: 'reach:schemas/town' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

const act = (verb: string, id: string) => drover.request<BatchView>('POST', `/api/batches/${id}/${verb}`);
const handleOf = (id: string) => drover.services.client.workflow.getHandle(batchWorkflowId(id));
const towns = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ externalId: `${prefix}-${n}`, name: 'Town' }));

/** A batch as lists show it, which read the store. */
async function listed(id: string): Promise<BatchView | undefined> {
  const { body } = await drover.request<{ results: BatchView[] }>('GET', '/api/batches?limit=100');
  return body.data.results.find((batch) => batch.batchId === id);
}

async function listedUntil(id: string, isThere: (batch: BatchView) => boolean): Promise<void> {
  for (;;) {
    const batch = await listed(id);
    if (batch && isThere(batch)) return;
  }
}

/**
 * Holds the activities of the next batch once they have begun to write. @returns `held` resolves with their number when as many as the
 * workflow runs at a time are held; `open` releases them.
 */
function holdActivities(): { held: (id: string) => Promise<number>; open: () => void } {
  let arrived = 0;
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  drover.atCheckpoint(async (at) => {
    if (at !== 'inserted') return;
    arrived += 1;
    await opened;
  });
  const held = async (id: string): Promise<number> => {
    for (;;) {
      const wanted = await scheduled(id, 'applyItems');
      if (wanted > 0 && arrived === wanted) return wanted;
    }
  };
  return { held, open };
}

/** How many activities of a type a batch's workflow has scheduled. */
async function scheduled(id: string, type: string): Promise<number> {
  const { events } = await handleOf(id).fetchHistory();
  return (events ?? []).filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === type)
    .length;
}

describe('suspend and resume', () => {
  test('no new chunk starts while suspended, running ones finish, and resume continues where it stopped', async () => {
    const { held, open } = holdActivities();
    const id = await drover.upload('town', towns('halted', 12));
    const begun = await held(id);
    expect(begun).toBeLessThan(12);
    const { status, body } = await act('suspend', id);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ status: 'processing', suspended: true, counts: { queued: 12 } });
    const again = await act('suspend', id);
    expect(again.status).toBe(200);
    expect(again.body.data.suspended).toBe(true);
    open();
    await drover.until(id, (batch) => batch.counts.succeeded === begun);
    expect(await scheduled(id, 'applyItems')).toBe(begun);
    expect(await listed(id)).toMatchObject({ suspended: true, counts: { succeeded: begun, queued: 12 - begun } });
    const resumed = await act('resume', id);
    expect(resumed.status).toBe(200);
    expect(resumed.body.data.suspended).toBe(false);
    expect((await act('resume', id)).status).toBe(200);
    expect(await drover.ended(id)).toMatchObject({ status: 'success', suspended: false, counts: { succeeded: 12 } });
    expect(await scheduled(id, 'applyItems')).toBe(12);
  });

  test('signals of a program do the same, and lists show it', async () => {
    const { held, open } = holdActivities();
    const id = await drover.upload('town', towns('signalled', 12));
    const begun = await held(id);
    await handleOf(id).signal(suspendSignal);
    expect((await drover.batch(id)).suspended).toBe(true);
    open();
    await listedUntil(id, (batch) => batch.suspended);
    await drover.until(id, (batch) => batch.counts.succeeded === begun);
    await handleOf(id).signal(resumeSignal);
    expect(await drover.ended(id)).toMatchObject({ status: 'success', suspended: false });
  });

  test('a batch whose workflow was never started begins suspended, and does nothing before it is resumed', async () => {
    const id = await acceptedUpload(drover, 'town', towns('early', 3));
    const { status, body } = await act('suspend', id);
    expect(status).toBe(200);
    expect(body.data.suspended).toBe(true);
    await drover.until(id, (batch) => batch.status === 'processing');
    expect(await scheduled(id, 'applyItems')).toBe(0);
    expect((await act('resume', id)).status).toBe(200);
    expect((await drover.ended(id)).status).toBe('success');
  });

  test('deadlines continue to run while suspended', async () => {
    const id = await drover.upload('town', [{ externalId: 'late', near: 'nowhere' }], { dependencyWaitTimeout: 1 });
    await drover.waiting(id);
    expect((await act('suspend', id)).body.data).toMatchObject({ status: 'waiting', suspended: true });
    expect(await drover.ended(id)).toMatchObject({ status: 'failed', counts: { expired: 1 } });
  });

  test('items whose references appear while suspended are applied on resume', async () => {
    const id = await drover.upload('town', [{ externalId: 'patient', near: 'appears' }], { dependencyWaitTimeout: 60 });
    await drover.waiting(id);
    await act('suspend', id);
    await drover.ended(await drover.upload('town', [{ externalId: 'appears' }]));
    expect(await drover.batch(id)).toMatchObject({ status: 'waiting', suspended: true });
    await act('resume', id);
    expect((await drover.ended(id)).status).toBe('success');
  });

  test('if control requests overtake each other, the store and the workflow end in the same state', async () => {
    const id = await drover.upload('town', [{ externalId: 'torn', near: 'nobody' }], { dependencyWaitTimeout: 60 });
    await drover.waiting(id);
    const verbs = Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? 'suspend' : 'resume'));
    const answers = await Promise.all(verbs.map((verb) => act(verb, id)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const { suspended } = await drover.batch(id);
    await listedUntil(id, (batch) => batch.suspended === suspended);
    const stored = await batchesIn(drover.services.database).findOne({ _id: id });
    expect(stored?.asked?.told).toBe(true);
    expect(stored?.asked?.suspended).toBe(suspended);
    await act('cancel', id);
    await drover.ended(id);
  });
});

describe('cancel', () => {
  test('applied items stay, running items finish, all others are cancelled, also in a suspended batch', async () => {
    const { held, open } = holdActivities();
    const id = await drover.upload('town', towns('cut', 12));
    const begun = await held(id);
    await act('suspend', id);
    open();
    await drover.until(id, (batch) => batch.counts.succeeded === begun);
    const { status } = await act('cancel', id);
    expect(status).toBe(200);
    const batch = await drover.ended(id);
    expect(batch).toMatchObject({
      status: 'cancelled',
      suspended: false,
      counts: { succeeded: begun, cancelled: 12 - begun, queued: 0 },
    });
    const cancelled = (await drover.items(id)).filter((item) => item.status === 'cancelled');
    expect(cancelled).toHaveLength(12 - begun);
    expect(cancelled[0]).toMatchObject({ attempts: 0, errors: [{ code: 'cancelled' }] });
    expect(await resourcesIn(drover.services.database).countDocuments({ externalId: /^cut-/ })).toBe(begun);
  });

  test('is idempotent, also when it has already ended the batch', async () => {
    const id = await drover.upload('town', [{ externalId: 'twice', near: 'nobody' }], { dependencyWaitTimeout: 60 });
    await drover.waiting(id);
    const answers = await Promise.all([act('cancel', id), act('cancel', id), act('cancel', id)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    await drover.ended(id);
    const late = await act('cancel', id);
    expect(late.status).toBe(200);
    expect(late.body.data.status).toBe('cancelled');
  });

  test('a batch that waits is cancelled, and nothing of its waits is left', async () => {
    const id = await drover.upload('town', [{ externalId: 'w1', near: 'void' }, { externalId: 'w2' }], {
      dependencyWaitTimeout: 60,
    });
    await drover.waiting(id);
    await act('cancel', id);
    expect(await drover.ended(id)).toMatchObject({
      status: 'cancelled',
      counts: { succeeded: 1, cancelled: 1, pending: 0 },
    });
    expect(await waitsIn(drover.services.database).countDocuments({ batchId: id })).toBe(0);
    expect(await pendingItemsIn(drover.services.database).countDocuments({ batchId: id })).toBe(0);
  });

  test('works by a signal, and by a cancellation in the Temporal UI', async () => {
    const wait = (name: string) =>
      drover.upload('town', [{ externalId: name, near: 'void' }], { dependencyWaitTimeout: 60 });
    const [bySignal, byUi] = await Promise.all([wait('s1'), wait('s2')]);
    await Promise.all([drover.waiting(bySignal), drover.waiting(byUi)]);
    await handleOf(bySignal).signal(cancelSignal);
    await handleOf(byUi).cancel();
    expect((await drover.ended(bySignal)).status).toBe('cancelled');
    expect((await drover.ended(byUi)).status).toBe('cancelled');
  });

  test('works for a batch whose workflow was never started', async () => {
    const id = await acceptedUpload(drover, 'town', towns('stillborn', 3));
    expect((await act('cancel', id)).status).toBe(200);
    expect(await drover.ended(id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 3 } });
    expect(await resourcesIn(drover.services.database).countDocuments({ externalId: /^stillborn-/ })).toBe(0);
  });
});

describe('retry', () => {
  test('applies failed items again, counts attempts, does not touch other items, and wakes batches that wait', async () => {
    const id = await drover.upload('town', [
      { externalId: 'base', name: 'Base' },
      { externalId: 'lacking', near: 'supplied' },
      { externalId: 'wrong', name: 7 },
    ]);
    const first = await drover.ended(id);
    expect(first).toMatchObject({ status: 'partial_success', counts: { succeeded: 1, failed: 2 } });
    const waiter = await drover.upload('town', [{ externalId: 'hopeful', near: 'lacking' }], {
      dependencyWaitTimeout: 60,
    });
    await drover.waiting(waiter);
    await drover.ended(await drover.upload('town', [{ externalId: 'supplied' }]));

    const { status, body } = await act('retry', id);
    expect(status).toBe(202);
    expect(body.data).toMatchObject({ status: 'queued', progress: { totalRecords: 3 } });
    expect(body.data.counts.succeeded).toBeGreaterThanOrEqual(1);
    expect(body.data.counts.failed).toBe(0);
    expect(body.data.completedAt).toBeUndefined();
    const again = await drover.ended(id);
    expect(again).toMatchObject({
      status: 'partial_success',
      counts: { succeeded: 2, failed: 1, queued: 0 },
      errors: { summary: { validation: 1 } },
    });
    const items = await drover.items(id);
    expect(items.map(({ status: item, attempts }) => [item, attempts])).toEqual([
      ['succeeded', 1],
      ['succeeded', 2],
      ['failed', 2],
    ]);
    const base = await drover.request<{ versionNumber: number }>('GET', '/api/resources/town/base');
    expect(base.body.data.versionNumber).toBe(1);
    expect((await drover.ended(waiter)).status).toBe('success');
  });

  test('includes expired and cancelled items, any number of times, each as soon as the run before has ended', async () => {
    const id = await drover.upload('town', [{ externalId: 'again', near: 'someday' }], { dependencyWaitTimeout: 1 });
    expect((await drover.ended(id)).counts.expired).toBe(1);
    for (let run = 2; run <= 5; run++) {
      expect((await act('retry', id)).status).toBe(202);
      expect((await act('cancel', id)).status).toBe(200);
      expect((await drover.ended(id)).status).toBe('cancelled');
    }
    await drover.ended(await drover.upload('town', [{ externalId: 'someday' }]));
    expect((await act('retry', id)).status).toBe(202);
    expect(await drover.ended(id)).toMatchObject({ status: 'success', counts: { succeeded: 1 } });
  });

  test('works for a patch of a resource that did not exist, and for a cancelled delete', async () => {
    const patch = await drover.patch('town', [{ externalId: 'unborn', name: 'Patched' }]);
    expect((await drover.ended(patch)).errors?.summary).toEqual({ not_found: 1 });
    await drover.ended(await drover.upload('town', [{ externalId: 'unborn' }]));
    await act('retry', patch);
    expect((await drover.ended(patch)).actions.updated).toBe(1);
    await drover.ended(await drover.upload('town', [{ externalId: 'child', near: 'unborn' }]));
    const items = [{ externalId: 'unborn' }, { externalId: 'nobody' }];
    const deletion = await acceptedOnly(drover, 'town', {
      operation: 'delete',
      options: { cascade: true, deleteAll: false },
      items,
    });
    await act('cancel', deletion);
    expect(await drover.ended(deletion)).toMatchObject({ status: 'cancelled', counts: { cancelled: 2 } });
    await act('retry', deletion);
    expect(await drover.ended(deletion)).toMatchObject({
      status: 'success',
      counts: { succeeded: 1, skipped: 1, cancelled: 0 },
      actions: { deleted: 1, cascaded: 1 },
    });
  });

  test('accepts one of several concurrent retries', async () => {
    const id = await drover.upload('town', [{ externalId: 'once', near: 'missing' }]);
    await drover.ended(id);
    const answers = await Promise.all(Array.from({ length: 10 }, () => act('retry', id)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    const refused = answers.filter(({ status }) => status !== 202);
    expect(refused.every(({ status, body }) => status === 409 && /running|retried/.test(body.message))).toBe(true);
    await drover.ended(id);
    expect((await drover.items(id))[0]?.attempts).toBe(2);
  });
});

describe('a request that the state does not allow is a 409 that says why', () => {
  test('a finished batch is not suspended, resumed or cancelled, and one without failures not retried', async () => {
    const id = await drover.upload('town', towns('done', 1));
    await drover.ended(id);
    for (const verb of ['suspend', 'resume', 'cancel']) {
      const { status, body } = await act(verb, id);
      expect(status).toBe(409);
      expect(body).toMatchObject({ success: false, message: expect.stringContaining('finished (success)') });
    }
    const { status, body } = await act('retry', id);
    expect(status).toBe(409);
    expect(body.message).toContain('nothing to retry');
  });

  test('a running batch is not retried', async () => {
    const id = await drover.upload('town', [{ externalId: 'busy', near: 'void' }], { dependencyWaitTimeout: 60 });
    await drover.waiting(id);
    const { status, body } = await act('retry', id);
    expect(status).toBe(409);
    expect(body.message).toContain('still running');
    await act('cancel', id);
    await drover.ended(id);
  });

  test("a batch that is not there, or is another tenant's, is a 404", async () => {
    const id = await drover.upload('town', towns('mine', 1));
    await drover.ended(id);
    for (const verb of ['suspend', 'resume', 'cancel', 'retry']) {
      expect((await act(verb, 'no-such-batch')).status).toBe(404);
      expect((await drover.request('POST', `/api/batches/${id}/${verb}`, { tenant: 'other' })).status).toBe(404);
    }
  });
});
