import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { batchesIn } from '../../../store/batches/batches.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { type HeldRequest, TcpProxy } from '../../../testkit/proxy.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';

/**
 * An operator resets the workflow of a batch (`temporal workflow reset`) while an activity of it has a command under way, which the server
 * applies after the following execution has finished.
 */
let proxy: TcpProxy;
let drover: Drover;
beforeAll(async () => {
  proxy = await TcpProxy.start({ to: inject('mongodbUri') });
  drover = await Drover.start({
    worker: false,
    environment: { MONGODB_URI: inject('mongodbUri'), ACTIVITY_TIMEOUT_SECONDS: '6', RESOURCES_PER_ACTIVITY: '1' },
  });
  // only the worker's commands pass the proxy
  await drover.startWorker({ config: { ...drover.config, MONGODB_URI: proxy.address } });
  await drover.define('target', { note: { type: 'string' } });
  await drover.define('source', { to: { $ref: 'reach:schemas/target' } });
});
afterAll(async () => {
  await drover.stop();
  await proxy.stop();
});

/** Resets a batch's workflow to its first task. */
async function resetWorkflow(batchId: string): Promise<void> {
  const { client } = drover.services;
  const { events } = await client.workflow.getHandle(batchWorkflowId(batchId)).fetchHistory();
  const first = events?.find((event) => event.workflowTaskCompletedEventAttributes);
  await client.workflowService.resetWorkflowExecution({
    namespace: drover.config.TEMPORAL_NAMESPACE,
    workflowExecution: { workflowId: batchWorkflowId(batchId) },
    reason: 'a test',
    workflowTaskFinishEventId: first?.eventId ?? null,
    requestId: randomUUID(),
  });
}

async function isStored(schema: string, id: string): Promise<boolean> {
  return (await drover.request('GET', `/api/resources/${schema}/${id}`)).status === 200;
}

test('an insert of the earlier execution that lands after the later execution has failed its item is not stored', async () => {
  const [target, source] = [`t-${randomUUID()}`, `s-${randomUUID()}`];
  await drover.ended(await drover.upload('target', [{ externalId: target }]));
  const held = proxy.hold('insert', 'resources', source);
  // two activities, so that a workflow task is over that the workflow can be reset to
  const batchId = await drover.upload('source', [
    { externalId: source, to: target },
    { externalId: `o-${randomUUID()}` },
  ]);
  const late: HeldRequest = await held;
  // the reference that the first execution found is missing for the second one
  await resourcesIn(drover.services.database).deleteOne({ externalId: target });
  await resetWorkflow(batchId);
  const batch = await drover.ended(batchId);
  expect(batch.counts).toMatchObject({ failed: 1, succeeded: 1 });
  expect(batch.errors?.summary).toEqual({ missing_dependency: 1 });
  await late.deliver();
  expect(await isStored('source', source)).toBe(false);
  const [document] = await batchesIn(drover.services.database).find({ _id: batchId }).toArray();
  expect(document?.executions).toHaveLength(2);
  expect(document?.execution).toMatchObject({ runId: document?.executions?.[1], follows: true });
});

test('a mark and a commit of the earlier execution that land late delete nothing', async () => {
  const id = `t-${randomUUID()}`;
  await drover.ended(await drover.upload('target', [{ externalId: id }]));
  const held = proxy.hold('insert', 'commits', 'committed');
  const { body } = await drover.request<{ batchId: string }>('DELETE', '/api/resources/target/batch', {
    body: { externalIds: [id] },
  });
  const { batchId } = body.data;
  const late = await held;
  await resetWorkflow(batchId);
  const batch = await drover.ended(batchId);
  expect(batch.counts).toMatchObject({ succeeded: 1 });
  expect(batch.actions.deleted).toBe(1);
  await drover.ended(await drover.upload('target', [{ externalId: id, note: 'anew' }]));
  await late.deliver();
  expect(await isStored('target', id)).toBe(true);
});
