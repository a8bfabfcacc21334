import { Ajv } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import { type Collection, MongoClient } from 'mongodb';
import { type Customer, customers, PLAIN_CUSTOMER_SCHEMA, REGIONS, regionCode } from '../data/customers.ts';

/** A resource as peers store it: JSON text, as Drover does. */
interface StoredResource {
  _id: string;
  data: string;
  version: number;
  updatedAt: Date;
}

interface OutcomePage {
  _id: string;
  outcomes: Outcome[];
}

export interface Outcome {
  readonly status: 'succeeded' | 'failed';
  readonly action?: 'created' | 'updated' | 'unchanged';
  readonly error?: string;
}

export interface PeerStore {
  readonly resources: Collection<StoredResource>;
  readonly outcomes: Collection<OutcomePage>;
  close(): Promise<void>;
}

/** With the guarantees of a write that Drover asks for. */
export async function openPeerStore(): Promise<PeerStore> {
  const { MONGODB_URI = '', MONGODB_DATABASE } = process.env;
  const client = new MongoClient(MONGODB_URI, {
    writeConcern: { w: 'majority', journal: true },
    readConcern: { level: 'majority' },
  });
  const db = client.db(MONGODB_DATABASE);
  return { resources: db.collection('resources'), outcomes: db.collection('outcomes'), close: () => client.close() };
}

const ajv = new Ajv({ formats: { email: fullFormats.email, date: fullFormats.date } });
const isValid = ajv.compile(PLAIN_CUSTOMER_SCHEMA);

/**
 * The checks that Drover makes, without what makes it safe against crashes and against others who write: look the references
 * up, merge over what is stored, validate, write, one outcome an item.
 */
export async function carryOut(
  { resources }: PeerStore,
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
    const data = { ...(before && JSON.parse(before.data)), ...item };
    if (!present.has(`${tenant}/region/${item.region}`))
      outcomes.push({ status: 'failed', error: 'missing_dependency' });
    else if (!isValid(data)) outcomes.push({ status: 'failed', error: ajv.errorsText(isValid.errors) });
    else {
      const text = JSON.stringify(data);
      outcomes.push({
        status: 'succeeded',
        action: before === undefined ? 'created' : before.data === text ? 'unchanged' : 'updated',
      });
      changed.set(_id, { _id, data: text, version: (before?.version ?? 0) + 1, updatedAt: new Date() });
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

/** Outcomes in pages, as Drover stores them. */
const OUTCOMES_PER_PAGE = 50;

export async function storeOutcomes(
  { outcomes: collection }: PeerStore,
  batchId: string,
  outcomes: readonly Outcome[],
): Promise<void> {
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
