import { Ajv } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import { type Collection, MongoClient } from 'mongodb';
import { type Customer, customers, PLAIN_CUSTOMER_SCHEMA, REGIONS, regionCode } from '../data/customers.ts';

/** A resource as peers store it. */
interface StoredResource {
  _id: string;
  /** JSON text where the storage is `pages`. */
  data: object | string;
  version: number;
  updatedAt: Date;
}

type OutcomeDocument = { readonly _id: string } & (Outcome | { readonly outcomes: readonly Outcome[] });

/** `documents`: a document for each resource and each outcome, as one would. `pages`: JSON text and pages of outcomes, as Drover does. */
const STORAGES = ['documents', 'pages'] as const;

export interface Outcome {
  readonly status: 'succeeded' | 'failed';
  readonly action?: 'created' | 'updated' | 'unchanged';
  readonly error?: string;
}

interface PeerStore {
  readonly resources: Collection<StoredResource>;
  readonly outcomes: Collection<OutcomeDocument>;
  readonly storage: (typeof STORAGES)[number];
  close(): Promise<void>;
}

/** With the guarantees of a write that Drover asks for. */
export async function openPeerStore(): Promise<PeerStore> {
  const { MONGODB_URI = '', MONGODB_DATABASE, STORAGE = 'documents' } = process.env;
  const storage = STORAGES.find((name) => name === STORAGE);
  if (storage === undefined) throw new Error(`STORAGE must be one of ${STORAGES.join(', ')}`);
  const client = new MongoClient(MONGODB_URI, {
    writeConcern: { w: 'majority', journal: true },
    readConcern: { level: 'majority' },
  });
  const db = client.db(MONGODB_DATABASE);
  return {
    resources: db.collection('resources'),
    outcomes: db.collection('outcomes'),
    storage,
    close: () => client.close(),
  };
}

const ajv = new Ajv({ formats: { email: fullFormats.email, date: fullFormats.date } });
const isValid = ajv.compile(PLAIN_CUSTOMER_SCHEMA);

/**
 * The checks that Drover makes, without what makes it safe against crashes and concurrent writers: find the references, merge with
 * the stored resource, validate, write, one outcome for each item.
 */
export async function runItems(
  { resources, storage }: PeerStore,
  tenant: string,
  items: readonly Customer[],
): Promise<Outcome[]> {
  const targets = [...new Set(items.map((item) => `${tenant}/region/${item.region}`))];
  const [regions, existing] = await Promise.all([
    resources.find({ _id: { $in: targets } }, { projection: { _id: 1 } }).toArray(),
    resources.find({ _id: { $in: items.map((item) => `${tenant}/customer/${item.id}`) } }).toArray(),
  ]);
  const present = new Set(regions.map((region) => region._id));
  const stored = new Map(existing.map((resource) => [resource._id, resource]));
  const outcomes: Outcome[] = [];
  const changed = new Map<string, StoredResource>();
  for (const item of items) {
    const _id = `${tenant}/customer/${item.id}`;
    const before = stored.get(_id);
    const data = { ...(before && decode(before.data)), ...item };
    if (!present.has(`${tenant}/region/${item.region}`))
      outcomes.push({ status: 'failed', error: 'missing_dependency' });
    else if (!isValid(data)) outcomes.push({ status: 'failed', error: ajv.errorsText(isValid.errors) });
    else {
      const isSame = before !== undefined && JSON.stringify(decode(before.data)) === JSON.stringify(data);
      outcomes.push({
        status: 'succeeded',
        action: before === undefined ? 'created' : isSame ? 'unchanged' : 'updated',
      });
      changed.set(_id, {
        _id,
        data: storage === 'pages' ? JSON.stringify(data) : data,
        version: (before?.version ?? 0) + 1,
        updatedAt: new Date(),
      });
    }
  }
  const writes = [...changed.values()].map(({ _id, ...set }) =>
    stored.has(_id)
      ? { updateOne: { filter: { _id }, update: { $set: set } } }
      : { insertOne: { document: { _id, ...set } } },
  );
  if (writes.length > 0) await resources.bulkWrite(writes, { ordered: false });
  return outcomes;
}

const decode = (data: object | string): object => (typeof data === 'string' ? JSON.parse(data) : data);

const OUTCOMES_PER_PAGE = 50;

export async function storeOutcomes(
  { outcomes: collection, storage }: PeerStore,
  batchId: string,
  outcomes: readonly Outcome[],
): Promise<void> {
  if (storage === 'documents') {
    const documents = outcomes.map((outcome, index) => ({ _id: `${batchId}/${index}`, ...outcome }));
    await collection.insertMany(documents, { ordered: false });
    return;
  }
  const pages = Array.from({ length: Math.ceil(outcomes.length / OUTCOMES_PER_PAGE) }, (_, page) => ({
    _id: `${batchId}/${page}`,
    outcomes: outcomes.slice(page * OUTCOMES_PER_PAGE, (page + 1) * OUTCOMES_PER_PAGE),
  }));
  await collection.insertMany(pages, { ordered: false });
}

export async function seedRegions({ resources }: PeerStore, tenant: string): Promise<void> {
  const now = new Date();
  const documents = Array.from({ length: REGIONS }, (_, n) => ({
    _id: `${tenant}/region/${regionCode(n)}`,
    data: JSON.stringify({ code: regionCode(n), name: `Region ${n}` }),
    version: 1,
    updatedAt: now,
  }));
  await resources.insertMany(documents);
}

/** What a peer is asked for: some batches of new customers of a tenant. */
export interface Job {
  readonly tenant: string;
  readonly batches: number;
  readonly size: number;
}

export function batchesOf({ batches, size }: Job): Customer[][] {
  return Array.from({ length: batches }, (_, batch) => customers(batch * size, size));
}

/** @throws where an item has not succeeded: then the peer did less than it was asked for. */
export function assertSucceeded(outcomes: readonly Outcome[]): void {
  const failed = outcomes.find((outcome) => outcome.status === 'failed');
  if (failed) throw new Error(`a peer has failed an item: ${failed.error}`);
}
