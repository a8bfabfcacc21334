import { setTimeout as sleep } from 'node:timers/promises';
import { bulkWorkflowId } from '../../workflows/bulk/messages.ts';
import { batchWorkflowId, dependenciesAvailableSignal } from '../../workflows/messages.ts';
import { webhookWorkflowId } from '../../workflows/webhooks/messages.ts';
import { ended, ndjson, started } from '../end-to-end/imports/imports.ts';
import { Drover } from '../harness/drover.ts';
import { writeHistory } from '../harness/histories.ts';
import { startTemporalOfSmallHistories } from '../harness/small-histories.ts';

const WAIT = { dependencyWaitTimeout: 3600 };
const MAX_EVENTS = 40;
/** Few items for each activity, so that an upload has several stages and activities. */
const RESOURCES_PER_ACTIVITY = '10';
const node = (externalId: string, ...next: string[]) => ({ externalId, next });

/** Runs some batches and writes the histories of their workflows to `test/histories`, replacing earlier ones. */
export async function recordHistories(): Promise<void> {
  const temporal = await startTemporalOfSmallHistories(MAX_EVENTS);
  const drover = await Drover.start({
    environment: { TEMPORAL_ADDRESS: temporal.address, RESOURCES_PER_ACTIVITY, CAMUNDA_BATCH_JOBS_PER_SEED: '2' },
  });
  await drover.define('node', { next: { type: 'array', items: { $ref: 'reach:schemas/node' } } });
  try {
    for (const play of [playUpload, playCycle, playWait, playExpiry, playTermination]) {
      for (const [name, batchId, runId] of await play(drover)) {
        const history = await drover.services.client.workflow.getHandle(batchWorkflowId(batchId), runId).fetchHistory();
        writeHistory(name, history);
      }
    }
  } finally {
    await drover.stop();
    await temporal.stop();
  }
}

/** Name of the file, batch, and the run if it is not the latest. */
type Recorded = readonly (readonly [name: string, batchId: string, runId?: string])[];

async function playUpload(drover: Drover): Promise<Recorded> {
  const chain = Array.from({ length: 30 }, (_, n) => node(`n${n}`, `n${n + 1}`));
  const id = await drover.upload('node', [
    ...chain,
    node('n30'),
    node('ring', 'ring'),
    node('x', 'nowhere'),
    { externalId: 5 },
  ]);
  await drover.ended(id);
  return [['upload', id]];
}

async function playCycle(drover: Drover): Promise<Recorded> {
  const first = await drover.upload('node', [node('a', 'b')], WAIT);
  await drover.waiting(first);
  const last = await drover.upload('node', [node('b', 'a')], WAIT);
  for (const id of [first, last]) await drover.ended(id);
  return [
    ['cycle-first', first],
    ['cycle-last', last],
  ];
}

async function playWait(drover: Drover): Promise<Recorded> {
  const id = await drover.upload('node', [node('p', 'q'), node('r', 'p'), node('s')], WAIT);
  await drover.waiting(id);
  const handle = drover.services.client.workflow.getHandle(batchWorkflowId(id));
  const { runId } = await handle.describe();
  while ((await handle.describe()).runId === runId) await handle.signal(dependenciesAvailableSignal, []);
  await drover.ended(await drover.upload('node', [node('q')]));
  await drover.ended(id);
  return [
    ['waiting-before-continue-as-new', id, runId],
    ['waiting-after-continue-as-new', id],
  ];
}

async function playExpiry(drover: Drover): Promise<Recorded> {
  const id = await drover.upload('node', [node('e', 'nowhere'), node('f')], { dependencyWaitTimeout: 1 });
  await drover.ended(id);
  return [['expired', id]];
}

/** Terminates process instances that do not exist, in two seeds. */
async function playTermination(drover: Drover): Promise<Recorded> {
  const response = await drover.app.request('/engine-rest/process-instance/delete', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ processInstanceIds: ['a', 'b', 'c'], failIfNotExists: false }),
  });
  const { id } = (await response.json()) as { id: string };
  await drover.ended(id);
  return [['terminate', id]];
}

const POLL_MS = 100;

/** Runs a webhook whose receiver is not there, a bulk operation and a batch with a start time, and writes the histories of their workflows to `test/histories`. */
export async function recordToldHistories(): Promise<void> {
  const drover = await Drover.start({ worker: { webhooks: { retryDelaysMs: [1_500] } } });
  await drover.define('bell', {});
  const { client } = drover.services;
  const write = async (name: string, workflowId: string): Promise<void> => {
    const handle = client.workflow.getHandle(workflowId);
    while ((await handle.describe()).status.name === 'RUNNING') await sleep(POLL_MS);
    writeHistory(name, await handle.fetchHistory());
  };
  try {
    const body = { url: 'http://127.0.0.1:1/', events: ['batch.completed'] };
    const { data } = (await drover.request<{ webhookId: string }>('POST', '/api/webhooks', { body })).body;
    const startAt = new Date(Date.now() + 2_000).toISOString();
    const batchId = await drover.upload('bell', [{ externalId: 'a' }], { startAt, label: 'bell' });
    await write('upload-start-time', batchWorkflowId(batchId));
    await write('webhook-retried', webhookWorkflowId(data.webhookId));
    const filter = { filter: { label: 'bell' } };
    const bulk = await drover.request<{ bulkOperationId: string }>('POST', '/api/batches/cancel', { body: filter });
    await write('bulk-operation', bulkWorkflowId(bulk.body.data.bulkOperationId));
  } finally {
    await drover.stop();
  }
}

/** Longer than the activity of an import's undo waits itself for the end of the undo of a batch, in ms. */
const LONG_MS = 3_500;
/** Undoes an upload that has updated and created resources, a part of which is retried, and an import whose undo takes long; writes the histories of these workflows to `test/histories`. */
export async function recordUndoHistories(): Promise<void> {
  const drover = await Drover.start({ environment: { RESOURCES_PER_ACTIVITY: '10' } });
  await drover.define('node', { n: { type: 'integer' }, to: { $ref: 'reach:schemas/node' } });
  const { client } = drover.services;
  const write = async (name: string, workflowId: string): Promise<void> => {
    const handle = client.workflow.getHandle(workflowId);
    while ((await handle.describe()).status.name === 'RUNNING') await sleep(POLL_MS);
    writeHistory(name, await handle.fetchHistory());
  };
  const act = async <T>(path: string): Promise<T> => (await drover.request<T>('POST', path)).body.data;
  const node = (n: number, more: object = {}) => ({ externalId: `n${n}`, n, ...more });
  try {
    await drover.ended(await drover.upload('node', [node(0), node(1)]));
    const rows = Array.from({ length: 30 }, (_, n) => node(n, n > 1 ? { to: `n${n - 1}` } : { n: -1 }));
    const upload = await drover.upload('node', rows, { undoable: true });
    await drover.ended(upload);
    // what refers to the last one is in the way, until it is gone
    await drover.ended(await drover.upload('node', [{ externalId: 'referrer', to: 'n29' }]));
    const { batchId } = await act<{ batchId: string }>(`/api/batches/${upload}/undo`);
    await drover.ended(batchId);
    await write('undo', batchWorkflowId(batchId));
    await drover.ended(await drover.delete('node', { externalIds: ['referrer'] }));
    await act(`/api/batches/${batchId}/retry`);
    await drover.ended(batchId);
    await write('undo-retried', batchWorkflowId(batchId));

    const importId = await started(drover, { schema: 'node', undoable: true }, ndjson([node(50), node(51)]));
    await ended(drover, importId);
    const held = drover.holdAt('marked');
    const { bulkOperationId } = await act<{ bulkOperationId: string }>(`/api/imports/${importId}/undo`);
    await held.reached;
    await sleep(LONG_MS);
    held.open();
    await write('undo-import', bulkWorkflowId(bulkOperationId));
  } finally {
    await drover.stop();
  }
}
