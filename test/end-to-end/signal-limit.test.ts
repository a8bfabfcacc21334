import { afterAll, beforeAll, expect, test } from 'vitest';
import { signalAvailable } from '../../activities/wake-waiting.ts';
import type { EmbeddedTemporal } from '../../dev/temporal.ts';
import { batchWorkflowId, dependenciesAvailableSignal } from '../../workflows/messages.ts';
import { Drover } from '../harness.ts';
import { startTemporalOfSmallHistories } from '../small-histories.ts';

const MAX_SIGNALS = 25;

let temporal: EmbeddedTemporal;
let drover: Drover;
beforeAll(async () => {
  temporal = await startTemporalOfSmallHistories(60, { 'history.maximumSignalsPerExecution': MAX_SIGNALS });
  drover = await Drover.start({ environment: { TEMPORAL_ADDRESS: temporal.address } });
  await drover.define('town', { near: { $ref: 'reach:schemas/town' } });
});
afterAll(async () => {
  await drover.stop();
  await temporal.stop();
});

test('a batch that Temporal lets have no more signals does not hold up the batch that wakes it, and looks all the same', async () => {
  const { client } = drover.services;
  const id = await drover.upload('town', [{ externalId: 'waits', near: 'comes' }], '?dependencyWaitTimeout=600');
  await drover.waiting(id);
  await drover.stopWorker();
  const handle = client.workflow.getHandle(batchWorkflowId(id));
  let refusal: unknown;
  for (let sent = 0; sent <= MAX_SIGNALS && refusal === undefined; sent++)
    await handle.signal(dependenciesAvailableSignal, []).catch((error: unknown) => (refusal = error));
  expect(refusal).toMatchObject({ cause: { code: 3, details: expect.stringContaining('signal') } });
  await expect(signalAvailable({ client }, id, [])).resolves.toBeUndefined();
  const comes = await drover.upload('town', [{ externalId: 'comes' }]);
  await drover.startWorker();
  expect((await drover.ended(comes)).status).toBe('success');
  expect((await drover.ended(id)).status).toBe('success');
});
