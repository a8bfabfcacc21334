import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { webhookWorkflowId } from '../../../workflows/webhooks/messages.ts';
import { Conformance } from '../../harness/conformance.ts';
import { type Answer, Drover, spawnWorker } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';
import { Tenant } from '../../harness/tenant.ts';
import { Receiver } from './receiver.ts';

/** Times between attempts, in ms: a test has no hours. */
const RETRIES = { webhooks: { retryDelaysMs: [100, 100, 100] } };
const KEY = { DROVER_WEBHOOK_KEY: Buffer.alloc(32, 7).toString('base64') };

let drover: Drover;
const receivers: Receiver[] = [];
beforeAll(async () => {
  drover = await Drover.start({ worker: RETRIES, environment: KEY });
  await Conformance.watch(drover);
  await drover.define('bird', { n: { type: 'number' }, near: { $ref: 'reach:schemas/bird' } });
});
afterAll(async () => {
  for (const receiver of receivers) receiver.stop();
  await drover.stop();
});
afterEach(() => drover.atCheckpoint(undefined));

interface WebhookView {
  readonly webhookId: string;
  readonly secret: string;
  readonly status: string;
  readonly disabledReason?: string;
}
interface DeliveryView {
  readonly deliveryId: string;
  readonly type: string;
  readonly status: string;
  readonly attempts: number;
  readonly nextAttemptAt?: string;
  readonly lastAnswer?: { status: number; body: string };
  readonly lastError?: string;
}

async function receiver(): Promise<Receiver> {
  const one = await Receiver.start();
  receivers.push(one);
  return one;
}

async function created(tenant: Tenant, url: string, events: string[]): Promise<WebhookView> {
  const answer = await drover.request<WebhookView>('POST', '/api/webhooks', { ...tenant, body: { url, events } });
  expect([answer.body.errors, answer.status]).toEqual([undefined, 201]);
  return answer.body.data;
}

const ask = <T>(tenant: Tenant, method: string, path: string, body?: object): Promise<Answer<T>> =>
  drover.request<T>(method, path, { tenant: tenant.tenant, ...(body && { body }) });

async function deliveries(tenant: Tenant, webhookId: string, query = ''): Promise<DeliveryView[]> {
  const path = `/api/webhooks/${webhookId}/deliveries${query}`;
  return (await ask<{ results: DeliveryView[] }>(tenant, 'GET', path)).body.data.results;
}

/** Waits until all messages to a webhook are delivered or given up. */
async function settled(tenant: Tenant, webhookId: string, count: number): Promise<DeliveryView[]> {
  const isSettled = async () =>
    (await deliveries(tenant, webhookId)).filter(({ status }) => status !== 'pending').length;
  await expect.poll(isSettled, { timeout: 30_000 }).toBe(count);
  return deliveries(tenant, webhookId);
}

const BATCH_EVENTS = ['batch.completed', 'batch.waiting', 'batch.cancelled'];

test('every end of a batch and import is told, once it is subscribed to, signed, and without what was sent', async () => {
  const tenant = new Tenant(drover);
  const [all, few] = [await receiver(), await receiver()];
  const [{ webhookId, secret }] = await Promise.all([
    created(tenant, all.url, [...BATCH_EVENTS, 'import.completed', 'import.cancelled']),
    created(tenant, few.url, ['batch.cancelled']),
  ]);
  const good = await tenant.upload('bird', [{ externalId: 'planted-a' }, { externalId: 'b', n: 'planted' }]);
  await tenant.ended(good);
  const waiting = await tenant.upload('bird', [{ externalId: 'c', near: 'none' }], { dependencyWaitTimeout: 600 });
  await tenant.waiting(waiting);
  await ask(tenant, 'POST', `/api/batches/${waiting}/cancel`);
  await tenant.ended(waiting);
  const imported = async (rows: string, query = ''): Promise<string> => {
    const headers = { 'content-type': 'application/x-ndjson' };
    const path = `/api/imports?schema=bird${query}`;
    const { body } = await drover.request<{ importId: string }>('POST', path, { ...tenant, headers, body: rows });
    return body.data.importId;
  };
  const completed = await imported('{"externalId":"row"}\n');
  const cancelled = await imported(
    '{"externalId":"later"}\n',
    `&startAt=${new Date(Date.now() + 3_600_000).toISOString()}`,
  );
  await ask(tenant, 'POST', `/api/imports/${cancelled}/cancel`);
  await expect
    .poll(() => all.types.toSorted(), { timeout: 30_000 })
    .toEqual([
      'batch.cancelled',
      'batch.completed',
      'batch.completed',
      'batch.waiting',
      'import.cancelled',
      'import.completed',
    ]);
  for (const one of all.received) {
    all.verify(secret, one);
    expect(one.body).not.toContain('planted');
  }
  const dataOf = (type: string, id: string) =>
    all.received.find(({ message }) => message.type === type && Object.values(message.data).includes(id))?.message.data;
  expect(dataOf('batch.completed', good)).toMatchObject({
    status: 'partial_success',
    counts: { succeeded: 1, failed: 1 },
    errors: { summary: { validation: 1 } },
    completedAt: (await tenant.ended(good)).completedAt,
  });
  expect(dataOf('batch.waiting', waiting)).toMatchObject({ operation: 'upload' });
  expect(dataOf('batch.cancelled', waiting)).toMatchObject({ status: 'cancelled' });
  expect(dataOf('import.completed', completed)).toMatchObject({ status: 'success', counts: { succeeded: 1 } });
  expect(dataOf('import.cancelled', cancelled)).toMatchObject({ status: 'cancelled' });
  const sent = await settled(tenant, webhookId, 6);
  expect(new Set(sent.map(({ status, attempts }) => `${status} ${attempts}`))).toEqual(new Set(['delivered 1']));
  await expect.poll(() => few.types).toEqual(['batch.cancelled']);
  // another tenant's batches are its own
  const other = new Tenant(drover);
  await other.uploaded('bird', [{ externalId: 'x' }]);
  expect(all.received).toHaveLength(6);
  expect((await ask(other, 'GET', `/api/webhooks/${webhookId}/deliveries`)).status).toBe(404);
  // nothing runs for a webhook without messages
  const { client } = drover.services;
  const isRunning = async () => (await client.workflow.getHandle(webhookWorkflowId(webhookId)).describe()).status.name;
  await expect.poll(isRunning, { timeout: 10_000 }).toBe('COMPLETED');
});

test('what a receiver does not take is sent again with the same id, then given up, and redelivered; a slow one holds up no other', async () => {
  const tenant = new Tenant(drover);
  const [third, never, hanging, redirecting] = [await receiver(), await receiver(), await receiver(), await receiver()];
  third.answer = (response, number) => response.writeHead(number < 3 ? 500 : 200).end(`answer ${number}`);
  never.answer = (response) => response.writeHead(503).end('busy');
  hanging.answer = () => undefined;
  redirecting.answer = (response) => response.writeHead(302, { location: third.url }).end();
  const webhooks = await Promise.all(
    [third, never, hanging, redirecting].map(({ url }) => created(tenant, url, ['batch.completed'])),
  );
  const [toThird = '', toNever = '', toHanging = '', toRedirecting = ''] = webhooks.map(({ webhookId }) => webhookId);
  // more messages than are sent to one webhook at once
  for (let n = 0; n < 7; n++) await ask(tenant, 'POST', `/api/webhooks/${toHanging}/test`);
  await expect.poll(() => hanging.received.length, { timeout: 10_000 }).toBe(5);
  await tenant.uploaded('bird', [{ externalId: 'a' }]);
  const [delivered] = await settled(tenant, toThird, 1);
  expect(delivered).toMatchObject({ status: 'delivered', attempts: 4, lastAnswer: { status: 200, body: 'answer 3' } });
  expect(new Set(third.received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([delivered?.deliveryId]));
  expect(new Set(third.received.map(({ body }) => body)).size).toBe(1);
  const [failed] = await settled(tenant, toNever, 1);
  expect(failed).toMatchObject({ status: 'failed', attempts: 4, lastAnswer: { status: 503, body: 'busy' } });
  expect(failed?.nextAttemptAt).toBeUndefined();
  const [redirected] = await settled(tenant, toRedirecting, 1);
  expect(redirected).toMatchObject({ status: 'failed', lastAnswer: { status: 302 } });
  expect(third.received).toHaveLength(4);
  expect(hanging.received).toHaveLength(5);
  // its workflow was not told of each message: it has others to deliver
  const { events } = await drover.services.client.workflow.getHandle(webhookWorkflowId(toHanging)).fetchHistory();
  expect(events?.filter((event) => event.workflowExecutionSignaledEventAttributes).length).toBeLessThan(4);
  never.answer = (response) => response.writeHead(200).end();
  const path = `/api/webhooks/${toNever}/deliveries/${failed?.deliveryId}/redeliver`;
  expect((await ask(tenant, 'POST', path)).status).toBe(202);
  await expect
    .poll(async () => (await deliveries(tenant, toNever))[0], { timeout: 10_000 })
    .toMatchObject({
      status: 'delivered',
      attempts: 1,
    });
  // the first messages to the one that hangs are given up after 10 s
  const isLate = async () =>
    (await deliveries(tenant, toHanging)).some(({ lastError }) => lastError === 'no answer within 10 s');
  await expect.poll(isLate, { timeout: 15_000 }).toBe(true);
  await ask(tenant, 'DELETE', `/api/webhooks/${toHanging}`);
}, 60_000);

test('410 disables a webhook; it is told nothing until it is enabled again', async () => {
  const tenant = new Tenant(drover);
  const gone = await receiver();
  gone.answer = (response) => response.writeHead(410).end();
  const { webhookId } = await created(tenant, gone.url, ['batch.completed']);
  await tenant.uploaded('bird', [{ externalId: 'a' }]);
  const path = `/api/webhooks/${webhookId}`;
  const state = async () => (await ask<WebhookView>(tenant, 'GET', path)).body.data;
  await expect
    .poll(state, { timeout: 10_000 })
    .toMatchObject({ status: 'disabled', disabledReason: 'its receiver has answered 410' });
  expect((await deliveries(tenant, webhookId))[0]).toMatchObject({ status: 'failed', lastAnswer: { status: 410 } });
  expect((await ask(tenant, 'POST', `${path}/test`)).status).toBe(409);
  gone.answer = (response) => response.writeHead(204).end();
  expect((await ask<WebhookView>(tenant, 'PATCH', path, { disabled: false })).body.data.status).toBe('enabled');
  await tenant.uploaded('bird', [{ externalId: 'b' }]);
  await expect.poll(() => gone.received.length, { timeout: 10_000 }).toBe(2);
});

test('a secret that was replaced signs beside the new one', async () => {
  const tenant = new Tenant(drover);
  const one = await receiver();
  const { webhookId, secret } = await created(tenant, one.url, ['batch.completed']);
  const path = `/api/webhooks/${webhookId}`;
  const { body } = await ask<WebhookView>(tenant, 'POST', `${path}/rotate-secret`);
  expect(body.data).toMatchObject({ previousSecretsUntil: expect.any(String) });
  expect((await ask<{ deliveryId: string }>(tenant, 'POST', `${path}/test`)).status).toBe(202);
  await expect.poll(() => one.types, { timeout: 10_000 }).toEqual(['webhook.test']);
  const [received] = one.received;
  if (received) for (const valid of [secret, body.data.secret]) one.verify(valid, received);
  for (let n = 0; n < 3; n++) expect((await ask(tenant, 'POST', `${path}/rotate-secret`)).status).toBe(200);
  expect((await ask(tenant, 'POST', `${path}/rotate-secret`)).status).toBe(409);
});

test('a worker that is killed between the end of a batch and its message, or while messages are delivered, loses none', async () => {
  const tenant = new Tenant(drover);
  const [one, other] = [await receiver(), await receiver()];
  const [{ webhookId }] = [
    await created(tenant, one.url, BATCH_EVENTS),
    await created(tenant, other.url, BATCH_EVENTS),
  ];
  await drover.stopWorker();
  const ending = await spawnWorker(drover, { checkpoint: 'ended' }, KEY);
  const id = await tenant.upload('bird', [{ externalId: 'a' }]);
  await ending.ended;
  expect((await tenant.ended(id)).status).toBe('success');
  expect(await deliveries(tenant, webhookId)).toEqual([]);
  // its messages are made by recovery, and delivered by a worker that dies in the middle of them
  for (let n = 0; n < 4; n++) await ask(tenant, 'POST', `/api/webhooks/${webhookId}/test`);
  const delivering = await spawnWorker(drover, { checkpoint: 'delivered', nth: 2 }, KEY);
  await delivering.ended;
  await drover.startWorker(RETRIES);
  await recoverNow(drover);
  const sent = await settled(tenant, webhookId, 5);
  expect(sent.filter(({ status }) => status === 'delivered')).toHaveLength(5);
  expect(sent.map(({ type }) => type)).toContain('batch.completed');
  await expect.poll(() => other.types, { timeout: 10_000 }).toEqual(['batch.completed']);
}, 90_000);
