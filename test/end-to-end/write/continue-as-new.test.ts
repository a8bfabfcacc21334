import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EmbeddedTemporal } from '../../../embedded/temporal.ts';
import { batchWorkflowId, dependenciesAvailableSignal, pendingItemsQuery } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { startTemporalOfSmallHistories } from '../../harness/small-histories.ts';
import { Tenant } from '../../harness/tenant.ts';

const MAX_EVENTS = 60;
/** Events of the last check before a run ends. */
const ONE_CHECK = 30;
const WAIT = { dependencyWaitTimeout: 600 };

let temporal: EmbeddedTemporal;
let drover: Drover;
beforeAll(async () => {
  temporal = await startTemporalOfSmallHistories(MAX_EVENTS);
  drover = await Drover.start({ environment: { TEMPORAL_ADDRESS: temporal.address } });
  await drover.define('country', {});
  await drover.define('city', { country: { $ref: 'reach:schemas/country' } });
});
afterAll(async () => {
  await drover.stop();
  await temporal.stop();
});

const handleOf = (batchId: string) => drover.services.client.workflow.getHandle(batchWorkflowId(batchId));

/** Sends `dependenciesAvailable` until the workflow has left its present run. */
async function untilContinued(tenant: Tenant, batchId: string): Promise<void> {
  const { runId } = await handleOf(batchId).describe();
  while ((await handleOf(batchId).describe()).runId === runId) {
    await handleOf(batchId).signal(dependenciesAvailableSignal, []);
    await tenant.now(batchId);
  }
  await tenant.now(batchId);
}

test('a batch that waits through many executions keeps its deadlines, counts and wake-ups, and no history grows long', async () => {
  const tenant = new Tenant(drover);
  const id = await tenant.upload(
    'city',
    [
      { externalId: 'B', country: 'DE' },
      { externalId: 'P', country: 'FR' },
      { externalId: 'X' },
      { externalId: 'Y', z: 1 },
    ],
    WAIT,
  );
  await tenant.waiting(id);
  const before = await handleOf(id).query(pendingItemsQuery);
  for (let run = 0; run < 3; run++) {
    await untilContinued(tenant, id);
    expect(await handleOf(id).query(pendingItemsQuery)).toEqual(before);
    expect(await tenant.now(id)).toMatchObject({
      status: 'waiting',
      counts: { queued: 0, pending: 2, succeeded: 1, failed: 1 },
      actions: { created: 1 },
      errors: { summary: { unknown_field: 1 } },
    });
  }
  await tenant.uploaded('country', [{ externalId: 'DE' }]);
  await drover.until(id, (batch) => batch.counts.succeeded === 2, tenant);
  await untilContinued(tenant, id);
  await tenant.uploaded('country', [{ externalId: 'FR' }]);
  expect(await tenant.ended(id)).toMatchObject({
    status: 'partial_success',
    counts: { succeeded: 3, failed: 1 },
    actions: { created: 3 },
  });
  let runs = 0;
  for await (const { historyLength } of drover.services.client.workflow.list({
    query: `WorkflowId = '${batchWorkflowId(id)}'`,
  })) {
    runs += 1;
    expect(historyLength).toBeLessThan(MAX_EVENTS + ONE_CHECK);
  }
  expect(runs).toBeGreaterThanOrEqual(5);
});

test('a suspended batch that is signalled for ever continues as new, suspended', async () => {
  const tenant = new Tenant(drover);
  const id = await tenant.upload('city', [{ externalId: 'B', country: 'DE' }], WAIT);
  await tenant.waiting(id);
  await drover.request('POST', `/api/batches/${id}/suspend`, tenant);
  await untilContinued(tenant, id);
  await tenant.uploaded('country', [{ externalId: 'DE' }]);
  expect(await tenant.now(id)).toMatchObject({ suspended: true, counts: { pending: 1 } });
  await drover.request('POST', `/api/batches/${id}/resume`, tenant);
  expect((await tenant.ended(id)).status).toBe('success');
});
