import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { BatchView } from '../../services/batches/view-batch.ts';
import { batchWorkflowId } from '../../workflows/messages.ts';
import { Drover } from '../harness/drover.ts';
import { expectReplays } from '../harness/histories.ts';
import { acceptedUpload, withTimeForResult } from '../harness/left-behind.ts';

/**
 * Histories of suspended, cancelled and retried batches are replayed as soon as they exist. With `RECORD_HISTORIES=1` they are also
 * stored in test/histories, for later versions of the workflow.
 */

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { RESOURCES_PER_ACTIVITY: '1', ACTIVITY_TIMEOUT_SECONDS: '30' } });
  await drover.define('town', { name: { type: 'string' }, near: { $ref: 'reach:schemas/town' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

const act = (verb: string, id: string) => drover.request('POST', `/api/batches/${id}/${verb}`);
const towns = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ externalId: `${prefix}-${n}`, name: 'Town' }));

/** Suspends a batch while its first activities are at work. */
async function suspendInTheMiddle(start: () => Promise<string>): Promise<string> {
  const { reached, open } = drover.holdAt('inserted');
  const id = await start();
  await reached;
  await act('suspend', id);
  drover.atCheckpoint(undefined);
  open();
  await drover.until(id, (batch) => batch.counts.succeeded > 0);
  return id;
}

/** Replays the latest execution of a batch that has ended. */
async function expectReplaysAfter(name: string, id: string, status: BatchView['status']): Promise<void> {
  const handle = drover.services.client.workflow.getHandle(batchWorkflowId(id));
  expect(await withTimeForResult(drover, () => handle.result())).toMatchObject({ status });
  await expectReplays(name, await handle.fetchHistory());
}

test('suspended twice, at work and waiting', async () => {
  const waits = { externalId: 'a-waits', near: 'a-later' };
  const id = await suspendInTheMiddle(() =>
    drover.upload('town', [...towns('a', 6), waits], { dependencyWaitTimeout: 600 }),
  );
  await act('resume', id);
  await drover.waiting(id);
  await act('suspend', id);
  await drover.ended(await drover.upload('town', [{ externalId: 'a-later' }]));
  await act('resume', id);
  await expectReplaysAfter('suspend', id, 'success');
});

test('suspended before its start', async () => {
  const id = await acceptedUpload(drover, 'town', towns('b', 3));
  await act('suspend', id);
  await drover.until(id, (batch) => batch.status === 'processing');
  await act('resume', id);
  await expectReplaysAfter('suspended-before-start', id, 'success');
});

test('cancelled while suspended', async () => {
  const id = await suspendInTheMiddle(() => drover.upload('town', towns('c', 8)));
  await act('cancel', id);
  await expectReplaysAfter('cancel', id, 'cancelled');
});

test('cancelled while it waits', async () => {
  const id = await drover.upload('town', [{ externalId: 'd', near: 'nowhere' }], { dependencyWaitTimeout: 600 });
  await drover.waiting(id);
  await act('cancel', id);
  await expectReplaysAfter('cancel-waiting', id, 'cancelled');
});

test('retried', async () => {
  const id = await drover.upload('town', [
    { externalId: 'e-ok' },
    { externalId: 'e', near: 'e-later' },
    { externalId: 'e-bad', name: 7 },
  ]);
  await drover.ended(id);
  await drover.ended(await drover.upload('town', [{ externalId: 'e-later' }]));
  await act('retry', id);
  await expectReplaysAfter('retry', id, 'partial_success');
});
