import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EmbeddedTemporal } from '../../../embedded/temporal.ts';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { signalAvailable } from '../../../services/batches/wake-waiting.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { batchWorkflowId, dependenciesAvailableSignal } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';
import { startTemporalOfSmallHistories } from '../../harness/small-histories.ts';

/** More than `SIGNALS_PER_EXECUTION`: an execution may get a few more before it ends. */
const MAX_SIGNALS = 1_050;
const AT_ONCE = 50;
/** For a thousand signals, on a machine that is busy with other tests, in ms. */
const TEST_MS = 180_000;

let temporal: EmbeddedTemporal;
let drover: Drover;
beforeAll(async () => {
  temporal = await startTemporalOfSmallHistories(4_096, { 'history.maximumSignalsPerExecution': MAX_SIGNALS });
  drover = await Drover.start({ environment: { TEMPORAL_ADDRESS: temporal.address } });
  await drover.define('town', { near: { $ref: 'reach:schemas/town' } });
});
afterAll(async () => {
  await drover.stop();
  await temporal.stop();
});

const act = (verb: string, id: string) => drover.request<BatchView>('POST', `/api/batches/${id}/${verb}`);

/** Sends `dependenciesAvailable` until Temporal refuses it. @returns the refusal. */
async function untilRefused(id: string): Promise<unknown> {
  const handle = drover.services.client.workflow.getHandle(batchWorkflowId(id));
  let refusal: unknown;
  for (let sent = 0; sent <= MAX_SIGNALS && refusal === undefined; sent += AT_ONCE) {
    const some = Array.from({ length: AT_ONCE }, () =>
      handle.signal(dependenciesAvailableSignal, []).catch((error: unknown) => (refusal = error)),
    );
    await Promise.all(some);
  }
  return refusal;
}

test('a batch that Temporal gives no more signals does not delay the batch that wakes it, and checks its references all the same', {
  timeout: TEST_MS,
}, async () => {
  const { client } = drover.services;
  const id = await drover.upload('town', [{ externalId: 'waits', near: 'comes' }], { dependencyWaitTimeout: 600 });
  await drover.waiting(id);
  await drover.stopWorker();
  const refusal = await untilRefused(id);
  expect(refusal).toMatchObject({ cause: { code: 3, details: expect.stringContaining('signal') } });
  await expect(signalAvailable({ client }, id, [])).resolves.toBeUndefined();
  const comes = await drover.upload('town', [{ externalId: 'comes' }]);
  await drover.startWorker();
  expect((await drover.ended(comes)).status).toBe('success');
  expect((await drover.ended(id)).status).toBe('success');
});

test.each([
  ['suspend', { suspended: true }, 'resume'],
  ['resume', { suspended: false }, null],
  ['cancel', { cancelRequested: true }, null],
] as const)(
  '%s of a batch that accepts no more signals is a 200, and takes effect',
  { timeout: TEST_MS },
  async (verb, stored, then) => {
    const { database, client } = drover.services;
    const name = `limit-${verb}`;
    const id = await drover.upload('town', [{ externalId: name, near: `${name}-near` }], {
      dependencyWaitTimeout: 600,
    });
    await drover.waiting(id);
    if (verb === 'resume') {
      expect((await act('suspend', id)).status).toBe(200);
      await drover.until(id, (batch) => batch.source === 'workflow' && batch.suspended);
    }
    const { runId } = await client.workflow.getHandle(batchWorkflowId(id)).describe();
    await drover.stopWorker();
    expect(await untilRefused(id)).toBeInstanceOf(Error);
    expect((await act(verb, id)).status).toBe(200);
    expect(await batchesIn(database).findOne({ _id: id })).toMatchObject({ ...stored, asked: { told: false } });
    await drover.startWorker();
    await drover.ended(await drover.upload('town', [{ externalId: `${name}-near` }]));
    // the batch continues as new by itself, to an execution that accepts signals, whatever it waits for
    while ((await client.workflow.getHandle(batchWorkflowId(id)).describe()).runId === runId);
    await recoverNow(drover);
    if (then !== null) {
      await drover.until(id, (batch) => batch.source === 'workflow' && batch.suspended);
      await act(then, id);
    }
    const ended = await drover.ended(id);
    expect(ended.status).toBe(verb === 'cancel' ? 'cancelled' : 'success');
  },
);

test('a batch that accepts no more signals can be removed', { timeout: TEST_MS }, async () => {
  const id = await drover.upload('town', [{ externalId: 'gone', near: 'never' }], { dependencyWaitTimeout: 600 });
  await drover.waiting(id);
  await drover.stopWorker();
  expect(await untilRefused(id)).toBeInstanceOf(Error);
  expect((await drover.request('DELETE', `/api/batches/${id}`)).status).toBe(200);
  await drover.startWorker();
  while ((await batchesIn(drover.services.database).findOne({ _id: id })) !== null) await recoverNow(drover);
});
