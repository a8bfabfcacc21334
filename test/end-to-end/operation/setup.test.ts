import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../../domain/batch/search-attributes.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { itemPagesIn } from '../../../store/items/item-pages.ts';
import { setUp } from '../../../worker/setup.ts';
import { recoveryWorkflowId } from '../../../workflows/messages.ts';
import { Conformance } from '../../harness/conformance.ts';
import { Drover } from '../../harness/drover.ts';
import { acceptedUpload } from '../../harness/left-behind.ts';

/** An installation on a Temporal that is not set up: first without the namespace, then without search attributes. */

const RETENTION_SECONDS = 86_400;
const NAMES = Object.values(SEARCH_ATTRIBUTES);

let drover: Drover;
let connection: Connection;
const namespace = `setup-${process.pid}-${Date.now().toString(36)}`;
beforeAll(async () => {
  connection = await Connection.connect({ address: inject('temporalAddress') });
  drover = await Drover.start({ worker: false, environment: { TEMPORAL_NAMESPACE: namespace } });
  await Conformance.watch(drover);
  await drover.define('box', {});
});
afterAll(async () => {
  await drover.stop();
  await connection.close();
});

const upload = () => drover.request('POST', '/api/resources/box/batch', { body: { resources: [{ externalId: 'a' }] } });

async function ready(): Promise<{ status: number; temporal: string; missing?: string[] }> {
  const response = await drover.app.request('/readyz');
  return { ...((await response.json()) as { temporal: string }), status: response.status };
}

async function expectRefused(missing: readonly string[]): Promise<void> {
  await expect
    .poll(ready, { timeout: 20_000 })
    .toEqual(expect.objectContaining({ status: 503, temporal: 'not set up', missing }));
  const { status, headers, body } = await upload();
  expect([status, headers.get('retry-after') !== null]).toEqual([503, true]);
  for (const what of missing) expect(body.message).toContain(what);
  expect(await batchesIn(drover.services.database).countDocuments({})).toBe(0);
  expect(await itemPagesIn(drover.services.database).countDocuments({})).toBe(0);
}

test('without its namespace nothing is accepted, and /readyz names it', () =>
  expectRefused([`namespace "${namespace}"`]));

test('without search attributes nothing is accepted, and /readyz names each', async () => {
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: RETENTION_SECONDS as never },
  });
  await expectRefused(NAMES.map((name) => `search attribute ${name} (Keyword)`));
});

test('setup registers what is missing and reports it, a second setup finds everything there; then batches are accepted and applied', async () => {
  const lines: string[] = [];
  await setUp(drover.config, (line) => lines.push(line));
  expect(lines).toEqual([
    `namespace ${namespace}: there`,
    `search attributes: registered ${NAMES.join(', ')}`,
    `recovery of task queue ${drover.config.TEMPORAL_TASK_QUEUE}: runs`,
    expect.stringMatching(/^indexes of database .*: \d+ there$/),
  ]);
  lines.length = 0;
  await setUp(drover.config, (line) => lines.push(line));
  expect(lines[1]).toBe('search attributes: there');
  await expect.poll(async () => (await ready()).status, { timeout: 20_000 }).toBe(200);
  await drover.startWorker({ withRecovery: true });
  const { status, body } = await upload();
  expect(status).toBe(202);
  expect((await drover.ended((body.data as { batchId: string }).batchId)).status).toBe('success');
  const { client, taskQueue } = drover.services;
  await client.workflow.getHandle(recoveryWorkflowId(taskQueue)).terminate('the test is over');
}, 90_000);

test('if attributes are removed while it runs, a batch whose start is refused is durable, the next one is refused before anything is stored, the accepted batch can be suspended and cancelled, and recovery starts it in that state', async () => {
  const { database } = drover.services;
  await connection.operatorService.removeSearchAttributes({ namespace, searchAttributes: NAMES });
  await expect.poll(async () => (await upload()).status, { timeout: 60_000, interval: 200 }).toBe(503);
  const accepted = await batchesIn(database).countDocuments({});
  expect((await upload()).status).toBe(503);
  expect(await batchesIn(database).countDocuments({})).toBe(accepted);
  expect(await ready()).toMatchObject({ status: 503, temporal: 'not set up' });
  const left = await batchesIn(database).find({ unstarted: true }).toArray();
  const suspended = await acceptedUpload(drover, 'box', [{ externalId: 'suspended' }]);
  const cancelled = await acceptedUpload(drover, 'box', [{ externalId: 'cancelled' }]);
  const act = async (verb: string, id: string) => (await drover.request('POST', `/api/batches/${id}/${verb}`)).status;
  expect([await act('suspend', suspended), await act('cancel', cancelled)]).toEqual([200, 200]);
  expect(await drover.batch(suspended)).toMatchObject({ status: 'queued', suspended: true });
  await setUp(drover.config, () => undefined);
  await expect.poll(async () => (await ready()).status, { timeout: 60_000, interval: 200 }).toBe(200);
  for (const { _id } of left) expect((await drover.ended(_id, { timeoutMs: 60_000 })).status).toBe('success');
  expect(await drover.ended(cancelled, { timeoutMs: 60_000 })).toMatchObject({
    status: 'cancelled',
    counts: { cancelled: 1 },
  });
  await drover.until(suspended, ({ status }) => status === 'processing', { timeoutMs: 60_000 });
  expect(await act('resume', suspended)).toBe(200);
  expect((await drover.ended(suspended)).status).toBe('success');
  expect((await drover.request('GET', '/api/resources/box/cancelled')).status).toBe(404);
}, 180_000);
