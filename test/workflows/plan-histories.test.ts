import { defaultPayloadConverter } from '@temporalio/common';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EmbeddedTemporal } from '../../embedded/temporal.ts';
import type { BatchView } from '../../services/batches/view-batch.ts';
import { batchesIn } from '../../store/batches/batches.ts';
import {
  BATCH_WORKFLOW_TYPE,
  type BatchInput,
  batchWorkflowId,
  dependenciesAvailableSignal,
} from '../../workflows/messages.ts';
import { Drover } from '../harness/drover.ts';
import { expectReplays } from '../harness/histories.ts';
import { startTemporalOfSmallHistories } from '../harness/small-histories.ts';

/**
 * Batches that continue as new in the middle of their plan. Their histories are replayed as soon as they exist, and with
 * `RECORD_HISTORIES=1` stored in test/histories, for later versions of the workflow.
 */
const MAX_EVENTS = 40;

let temporal: EmbeddedTemporal;
let drover: Drover;
beforeAll(async () => {
  temporal = await startTemporalOfSmallHistories(MAX_EVENTS);
  drover = await Drover.start({ environment: { TEMPORAL_ADDRESS: temporal.address, RESOURCES_PER_ACTIVITY: '2' } });
  await drover.define('town', { name: { type: 'string' } });
});
afterAll(async () => {
  drover.atCheckpoint(undefined);
  await drover.stop();
  await temporal.stop();
});

const act = (verb: string, id: string) => drover.request('POST', `/api/batches/${id}/${verb}`);
const handleOf = (id: string, runId?: string) => drover.services.client.workflow.getHandle(batchWorkflowId(id), runId);
const towns = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ externalId: `${prefix}-${n}`, name: 'Town' }));

/** The input that an execution was started with. */
function startOf(history: History) {
  const attributes = history.events?.[0]?.workflowExecutionStartedEventAttributes;
  const payload = attributes?.input?.payloads?.[0];
  if (!attributes || !payload) throw new Error('a history that does not begin with a start');
  return { attributes, input: defaultPayloadConverter.fromPayload<BatchInput>(payload) };
}

/** A batch that is suspended in the middle of its plan, and the execution that it continues as new from. */
async function suspendInItsPlan(prefix: string): Promise<{ id: string; before: BatchView; runId: string }> {
  const { reached, open } = drover.holdAt('inserted');
  const id = await drover.upload('town', towns(prefix, 20));
  await reached;
  expect((await act('suspend', id)).status).toBe(200);
  drover.atCheckpoint(undefined);
  open();
  const before = await drover.until(id, (batch) => batch.source === 'workflow' && batch.counts.succeeded > 0);
  const { runId } = await handleOf(id).describe();
  while ((await handleOf(id).describe()).runId === runId) await handleOf(id).signal(dependenciesAvailableSignal, []);
  return { id, before, runId };
}

test('suspended in the middle of its plan, it continues as new, suspended, with its remaining work, and keeps its counts', async () => {
  const { id, before, runId } = await suspendInItsPlan('middle');
  const after = await drover.until(id, (batch) => batch.source === 'workflow');
  expect(after).toMatchObject({ suspended: true, status: 'processing' });
  expect(after.counts.succeeded).toBeGreaterThanOrEqual(before.counts.succeeded);
  expect(after.counts.queued).toBe(20 - after.counts.succeeded);
  expect(after.counts.queued).toBeGreaterThan(0);
  await act('resume', id);
  const ended = await drover.ended(id);
  expect(ended).toMatchObject({ status: 'success', counts: { succeeded: 20 }, actions: { created: 20, updated: 0 } });
  await expectReplays('suspended-in-its-plan', await handleOf(id, runId).fetchHistory());
  await expectReplays('resumed-in-its-plan', await handleOf(id).fetchHistory());
});

test('a worker that does not know the field of remaining work plans again: nothing is lost or applied twice', async () => {
  const { id } = await suspendInItsPlan('mixed');
  const history = await handleOf(id).fetchHistory();
  const { input } = startOf(history);
  expect(input.carried).toMatchObject({ cursor: 0, left: { stages: [expect.anything()] } });
  const { left: _, ...known } = input.carried ?? {};
  await handleOf(id).terminate();
  const { client, taskQueue } = drover.services;
  await client.workflow.start(BATCH_WORKFLOW_TYPE, {
    taskQueue,
    workflowId: batchWorkflowId(id),
    args: [{ ...input, carried: known }],
    memo: { run: 1 },
  });
  expect((await act('resume', id)).status).toBe(200);
  expect(await drover.ended(id)).toMatchObject({
    status: 'success',
    counts: { succeeded: 20, failed: 0, queued: 0 },
    actions: { created: 20, updated: 0, unchanged: 0 },
  });
});

test('a plan of many activities continues through many executions, and applies each item once', async () => {
  const id = await drover.upload('town', towns('long', 120));
  expect(await drover.ended(id)).toMatchObject({
    status: 'success',
    actions: { created: 120, updated: 0, unchanged: 0 },
  });
  const executions = (await batchesIn(drover.services.database).findOne({ _id: id }))?.executions ?? [];
  expect(executions.length).toBeGreaterThan(1);
  await expectReplays('continued-in-its-plan', await handleOf(id, executions[0] ?? '').fetchHistory());
});
