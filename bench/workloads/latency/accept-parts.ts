import type { Client } from '@temporalio/client';
import type { Collection } from 'mongodb';
import { v7 as uuidv7 } from 'uuid';
import { startBatch } from '../../../services/batches/start-batch.ts';
import { type BatchDocument, batchesIn, toBatchDocument } from '../../../store/batches/batches.ts';
import { BODIES_PER_PAGE, itemPagesIn, pageIds } from '../../../store/items/item-pages.ts';
import type { Database } from '../../../store/mongodb/database.ts';
import { msOf } from '../../../testkit/measure.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { customers } from '../../data/customers.ts';

/** A task queue that no worker polls. */
const UNPOLLED = 'bench-unpolled';

/**
 * What accepting a batch cannot do without: its items and itself, stored in bulk, by a process that does nothing else.
 * @returns times in ms, with the items in pages, and with a document for each.
 */
export async function timeOfInserts(database: Database, size: number, times: number, about: string) {
  const pages: number[] = [];
  const documents: number[] = [];
  for (let n = 0; n < times; n++) {
    pages.push(await msOf(() => insertPages(database, size, about)));
    documents.push(await msOf(() => insertDocuments(database, size, about)));
  }
  return { pages, documents };
}

/** Times in ms of starting a workflow that no worker runs. */
export async function timesOfStart(client: Client, size: number, times: number): Promise<number[]> {
  const starts: number[] = [];
  for (let n = 0; n < times; n++) {
    const batch = toBatch(uuidv7(), size, 'starts');
    const parts = { client, taskQueue: UNPOLLED, activityTimeoutSeconds: 60 };
    starts.push(await msOf(() => startBatch(parts, batch)));
    await client.workflow.getHandle(batchWorkflowId(batch._id)).terminate('measured');
  }
  return starts;
}

async function insertPages(database: Database, size: number, about: string): Promise<void> {
  const _id = uuidv7();
  const items = customers(0, size);
  const pages = pageIds(_id, size, BODIES_PER_PAGE).map((id, page) => {
    const some = items.slice(page * BODIES_PER_PAGE, (page + 1) * BODIES_PER_PAGE);
    return { _id: id, ids: some.map((item) => item.id), bodies: some.map((item) => JSON.stringify(item)) };
  });
  await itemPagesIn(database).insertMany(pages, { ordered: false });
  await insertBatch(database, _id, size, about);
}

async function insertDocuments(database: Database, size: number, about: string): Promise<void> {
  const _id = uuidv7();
  const items = customers(0, size).map((item, index) => ({
    _id: `${_id}/${index}`,
    externalId: item.id,
    body: JSON.stringify(item),
  }));
  await (itemPagesIn(database) as unknown as Collection<(typeof items)[number]>).insertMany(items, { ordered: false });
  await insertBatch(database, _id, size, about);
}

async function insertBatch(database: Database, _id: string, total: number, about: string): Promise<void> {
  // finished, so that no worker runs it
  await batchesIn(database).insertOne({ ...toBatch(_id, total, about), status: 'success' });
}

function toBatch(_id: string, total: number, about: string): BatchDocument {
  const scope = { platform: 'inserts', tenant: about };
  const options = { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 } as const;
  return toBatchDocument({
    _id,
    scope,
    operation: 'upload',
    options,
    schemaDefinitionId: 'inserts',
    schemaName: 'inserts',
    total,
    pageSize: BODIES_PER_PAGE,
    createdAt: new Date(),
  });
}
