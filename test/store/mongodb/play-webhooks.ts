import { expect, vi } from 'vitest';
import { announceBatch } from '../../../services/webhooks/announce.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { oldBulkOperations, removeBulkOperation, storeBulkPage } from '../../../store/bulk/bulk-operations.ts';
import { deliveriesIn } from '../../../store/webhooks/deliveries.ts';
import { disableWebhook, readWebhook } from '../../../store/webhooks/webhooks.ts';
import type { Drover } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';

const LONG = { timeout: 30_000, interval: 100 };

/** The same for bulk operations. */
export async function playBulkOperations(drover: Drover): Promise<void> {
  const { database } = drover.services;
  const send = (filter: object, query = '') =>
    drover.request<{ bulkOperationId: string }>('POST', `/api/batches/suspend${query}`, { body: { filter } });
  for (const filter of [{ label: 'none' }, { externalId: 'a', status: 'success' }]) {
    await send(filter, '?dryRun=true');
    const { bulkOperationId: id } = (await send(filter)).body.data;
    const read = async () => (await drover.request<object>('GET', `/api/bulk-operations/${id}`)).body.data;
    await vi.waitFor(async () => expect(await read()).toHaveProperty('completedAt'), LONG);
    // of two attempts that select a page, the first one's holds
    await storeBulkPage(database, id, 0, { ids: ['one'], next: null });
    await storeBulkPage(database, id, 0, { ids: ['two'], next: null });
    for (const operation of await oldBulkOperations(database, new Date(Date.now() + 60_000), 1))
      await removeBulkOperation(database, operation);
  }
  await send({ label: 'none' });
  const list = async (query: string) =>
    (await drover.request<{ pagination: { cursor: string | null } }>('GET', `/api/bulk-operations${query}`)).body.data;
  await send({ label: 'none' });
  const { pagination } = await list('?limit=1');
  await list(`?limit=1&cursor=${encodeURIComponent(pagination.cursor ?? '')}`);
  await recoverNow(drover);
}

/** Whatever is asked of MongoDB for webhooks, for the list of queries. Nobody receives what is sent. */
export async function playWebhooks(drover: Drover, schema: string): Promise<void> {
  const send = <T>(method: string, path: string, body?: object) =>
    drover.request<T>(method, `/api/webhooks${path}`, body ? { body } : {});
  const events = ['batch.completed', 'batch.waiting', 'batch.cancelled', 'import.completed', 'import.cancelled'];
  const created = await send<{ webhookId: string }>('POST', '', { url: 'http://127.0.0.1:1/', events });
  const { webhookId } = created.body.data;
  const path = `/${webhookId}`;
  const id = await drover.upload(schema, [{ externalId: 'w', next: ['none'] }], { dependencyWaitTimeout: 600 });
  await drover.waiting(id);
  await drover.request('POST', `/api/batches/${id}/cancel`);
  await drover.ended(id);
  const headers = { 'content-type': 'application/x-ndjson' };
  const imported = { headers, body: '{"externalId":"i"}\n' };
  await drover.request('POST', `/api/imports?schema=${schema}`, imported);
  const { database } = drover.services;
  await vi.waitFor(
    async () => expect(await deliveriesIn(database).countDocuments({ webhookId })).toBeGreaterThan(3),
    LONG,
  );
  for (const query of ['?limit=1', '?status=pending']) await send('GET', `${path}/deliveries${query}`);
  await send('POST', `${path}/test`);
  const { results } = (await send<{ results: { deliveryId: string }[] }>('GET', `${path}/deliveries`)).body.data;
  await send('POST', `${path}/deliveries/${results[0]?.deliveryId}/redeliver`);
  for (const query of ['', '?limit=1']) await send('GET', query);
  await send('GET', path);
  await send('PATCH', path, { disabled: false });
  await send('POST', `${path}/rotate-secret`);
  // an event that was noted while messages of others were made stays
  const event = { id: crypto.randomUUID(), type: 'batch.completed', at: new Date(), status: 'success' } as const;
  const noted = { events: [event], hasEvents: true as const, eventsDue: new Date(0) };
  await batchesIn(database).updateOne({ _id: id }, { $set: noted });
  await announceBatch(drover.services, id);
  await recoverNow(drover);
  const webhook = await readWebhook(database, webhookId);
  if (webhook !== null) await disableWebhook(database, webhook, 'in a test');
  await send('DELETE', path);
  const pending = () => deliveriesIn(database).countDocuments({ webhookId, status: 'pending' });
  await vi.waitFor(async () => expect(await pending()).toBe(0), LONG);
}
