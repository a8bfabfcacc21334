import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { NotedEvent } from '../../../domain/webhooks/noted-event.ts';
import { batchesIn, insertBatch, readBatch } from '../../../store/batches/batches.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { deliveriesIn, insertDeliveries, nextOverdueWebhook } from '../../../store/webhooks/deliveries.ts';
import { batchesWithEvents, forgetBatchEvents } from '../../../store/webhooks/noted-events.ts';

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `events-${process.pid}-${Date.now().toString(36)}`);
});
afterAll(async () => {
  await batchesIn(database).db.dropDatabase();
  await database.close();
});

const event = (type: NotedEvent['type']): NotedEvent => ({ id: uuidv7(), type, at: new Date(0), status: 'success' });

async function batchWith(first: NotedEvent): Promise<string> {
  const _id = uuidv7();
  await insertBatch(database, {
    _id,
    scope: { platform: 'p', tenant: 't' },
    operation: 'upload',
    options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 },
    schemaDefinitionId: 's',
    schemaName: 's',
    total: 0,
    pageSize: 50,
    createdAt: new Date(),
  });
  const $set = { events: [first], hasEvents: true as const, eventsDue: new Date(0) };
  await batchesIn(database).updateOne({ _id }, { $set });
  return _id;
}

const found = async (): Promise<string[]> => (await batchesWithEvents(database, new Date(), 10)).map(({ _id }) => _id);

test('an announcer that is late forgets the events that it has read, and no later one', async () => {
  const _id = await batchWith(event('batch.waiting'));
  const read = await readBatch(database, _id);
  if (read === null) throw new Error('no batch');
  // another process has announced it, and the run has ended since
  await forgetBatchEvents(database, read);
  expect(await found()).toEqual([]);
  const completed = event('batch.completed');
  const $set = { hasEvents: true as const, eventsDue: new Date(0) };
  await batchesIn(database).updateOne({ _id }, { $set, $push: { events: completed } });
  await forgetBatchEvents(database, read);
  expect((await readBatch(database, _id))?.events).toEqual([completed]);
  expect(await found()).toEqual([_id]);
});

test('a webhook with a message that is overdue is found, however many another one has', async () => {
  const message = (webhookId: string, n: number) => ({
    _id: `${webhookId}-${n}`,
    webhookId,
    scope: 'p/t',
    type: 'batch.completed' as const,
    body: '{}',
    status: 'pending' as const,
    attempts: 0,
    dueAt: new Date(n),
    createdAt: new Date(),
    expiresAt: new Date(Date.now() + 60_000),
  });
  const slow = Array.from({ length: 1_500 }, (_, n) => message('slow', n));
  const later = { ...message('waits', 0), dueAt: new Date(Date.now() + 60_000) };
  await insertDeliveries(database, [...slow, message('unheard', 5_000), later]);
  const webhooks: string[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const next = await nextOverdueWebhook(database, new Date(), after);
    if (next !== null) webhooks.push(next.webhookId);
    after = next?.webhookId ?? null;
  }
  expect(webhooks).toEqual(['slow', 'unheard']);
  await deliveriesIn(database).deleteMany({ scope: 'p/t' });
});
