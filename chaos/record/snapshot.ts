import { type Document, MongoClient } from 'mongodb';
import type {
  BatchAnswer,
  ImportAnswer,
  ItemAnswer,
  Json,
  JsonObject,
  ResourceAnswer,
  ResultRow,
} from '../workload/answers.ts';
import { KINDS, type KindName } from '../workload/definitions.ts';
import type { ApiClient } from './client.ts';
import { type Find, leftOfRemoved } from './left-of-removed.ts';

/** A batch as the API returns it, and its stored bodies. */
export interface BatchState {
  readonly batch: BatchAnswer;
  /** The answer for this batch alone; null where it is a 404. */
  readonly single: BatchAnswer | null;
  /** Null where the API has none. */
  readonly items: readonly ItemAnswer[] | null;
  /** By index; null in a delete. */
  readonly bodies: readonly (JsonObject | null)[];
  /** Of an undo, by index: the keys of the resources. */
  readonly undoes?: readonly string[];
}

/** An import as the API returns it. */
export interface ImportState {
  readonly answer: ImportAnswer;
  /** Its batches, in the order of its rows. */
  readonly batchIds: readonly string[];
  readonly rows: readonly ResultRow[];
}

export interface TenantState {
  readonly tenant: string;
  readonly batches: readonly BatchState[];
  readonly imports: readonly ImportState[];
  readonly resources: readonly (ResourceAnswer & { readonly kind: KindName })[];
  /** Ids of other tenants' batches that this tenant could read. */
  readonly foreignBatches: readonly string[];
}

/**
 * A stored document of a resource, as it lies there.
 * @internal exported for tests, which make snapshots by hand
 */
export interface RawResource {
  readonly key: string;
  readonly scope: string;
  readonly data: JsonObject;
  readonly references: readonly string[];
  readonly version: number;
}

/** What lies in the collections, read without the service. */
interface RawState {
  readonly resources: readonly RawResource[];
  /** What should have gone by now, one line each. */
  readonly leftovers: readonly string[];
}

/** Everything, as it is when nothing moves. */
export interface Snapshot {
  readonly tenants: readonly TenantState[];
  readonly raw: RawState;
  /** Removed batches that the API still returns something of. */
  readonly stillAnswered: readonly string[];
}

/** Where everything lies, and what should not be there any more. */
export interface Places {
  readonly uri: string;
  readonly database: string;
  readonly temporalAddress: string;
  readonly removed: readonly { readonly tenant: string; readonly batchId: string; readonly isImport?: true }[];
}

/** Requests at a time. */
const WIDTH = 6;

/** Reads everything there is: over HTTP as callers do, and read-only from the collections. */
export async function takeSnapshot(client: ApiClient, tenants: readonly string[], places: Places): Promise<Snapshot> {
  const connection = new MongoClient(places.uri, { readPreference: 'primary' });
  try {
    const find = (name: string): Promise<Document[]> =>
      connection.db(places.database).collection(name).find().toArray();
    const pages = await find('item_pages');
    const bodies = byBatch(pages, ({ ids, bodies }) =>
      (ids as unknown[]).map((_, at) => (bodies?.[at] ? (JSON.parse(bodies[at]) as JsonObject) : null)),
    );
    const undone = byBatch(pages, ({ undo = [] }) => (undo as { key: string }[]).map(({ key }) => key));
    const states: TenantState[] = [];
    const batchIds = new Map<string, string[]>();
    for (const tenant of tenants) {
      const batches = await client.list<BatchAnswer>(tenant, '/api/batches');
      batchIds.set(
        tenant,
        batches.map((batch) => batch.batchId),
      );
      states.push({
        tenant,
        batches: await concurrently(batches, async (batch) => ({
          batch,
          single: await client.batch(tenant, batch.batchId),
          items: await client.items(tenant, batch.batchId),
          bodies: bodies.get(batch.batchId) ?? [],
          undoes: undone.get(batch.batchId) ?? [],
        })),
        imports: await concurrently(await client.imports.list(tenant), async (answer) => ({
          answer,
          batchIds: await client.imports.batchIds(tenant, answer.importId),
          rows: await client.imports.rows(tenant, answer.importId),
        })),
        resources: (await Promise.all(KINDS.map(({ name }) => resourcesOf(client, tenant, name)))).flat(),
        foreignBatches: [],
      });
    }
    const withForeign = await Promise.all(
      states.map(async (state) => ({
        ...state,
        foreignBatches: await readable(client, state.tenant, othersOf(batchIds, state.tenant)),
      })),
    );
    return { tenants: withForeign, raw: await readRaw(find, places), stillAnswered: await answered(client, places) };
  } finally {
    await connection.close();
  }
}

/** Reads the collections alone. */
export async function takeRawState(places: Places): Promise<RawState> {
  const connection = new MongoClient(places.uri, { readPreference: 'primary' });
  try {
    return await readRaw((name) => connection.db(places.database).collection(name).find().toArray(), places);
  } finally {
    await connection.close();
  }
}

async function resourcesOf(client: ApiClient, tenant: string, kind: KindName) {
  const resources = await client.list<ResourceAnswer>(tenant, `/api/resources/${kind}`);
  return resources.map((resource) => ({ ...resource, kind }));
}

/** Some batches of other tenants. */
const othersOf = (batchIds: ReadonlyMap<string, readonly string[]>, tenant: string): string[] =>
  [...batchIds].flatMap(([other, ids]) => (other === tenant ? [] : ids.slice(0, 20)));

async function readable(client: ApiClient, tenant: string, batchIds: readonly string[]): Promise<string[]> {
  const found = await concurrently(batchIds, async (id) => ((await client.batch(tenant, id)) === null ? [] : [id]));
  return found.flat();
}

async function answered(client: ApiClient, { removed }: Places): Promise<string[]> {
  const found = await concurrently(removed, async ({ tenant, batchId, isImport }) => {
    if (isImport) return (await client.imports.read(tenant, batchId)) === null ? [] : [batchId];
    const answers = [await client.batch(tenant, batchId), await client.items(tenant, batchId)];
    return answers.every((answer) => answer === null) ? [] : [batchId];
  });
  return found.flat();
}

async function concurrently<T, R>(all: readonly T[], read: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = [...all.entries()];
  const readNext = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) results[next[0]] = await read(next[1]);
  };
  await Promise.all(Array.from({ length: WIDTH }, readNext));
  return results;
}

/** What is read of the pages of each batch, in the order of its items. */
function byBatch<T>(pages: readonly Document[], read: (page: Document) => T[]): Map<string, T[]> {
  const found = new Map<string, { page: number; values: T[] }[]>();
  for (const document of pages) {
    const [batchId = '', page = ''] = String(document._id).split('/');
    const known = found.get(batchId) ?? [];
    known.push({ page: Number(page), values: read(document) });
    found.set(batchId, known);
  }
  return new Map(
    [...found].map(([id, some]) => [id, some.sort((a, b) => a.page - b.page).flatMap(({ values }) => values)]),
  );
}

async function readRaw(find: Find, places: Places): Promise<RawState> {
  const [resources, intents, waits, pendingItems, keyLists, batches, steps] = await Promise.all(
    ['resources', 'intents', 'waits', 'pending_items', 'key_lists', 'batches', 'deletion_steps'].map(find),
  );
  // what keeps the place of a resource from commands that land late is none
  const stored = (resources ?? []).filter(({ hidden }) => hidden !== 'fence');
  return {
    resources: stored.map((document) => ({
      key: String(document._id),
      scope: String(document.scope),
      data: document.data as JsonObject,
      references: document.references as string[],
      version: document.version as number,
    })),
    leftovers: [
      ...stored.flatMap(({ _id, hidden, leaving }) =>
        hidden || leaving ? [`resource ${_id} is marked: ${JSON.stringify({ hidden, leaving } as Json)}`] : [],
      ),
      ...(intents ?? []).map(({ _id }) => `intent ${_id}`),
      ...(waits ?? []).map(({ key, batchId }) => `batch ${batchId} waits for ${key}`),
      ...(pendingItems ?? []).map(({ _id, key, claim }) => `pending item ${_id} of ${key}, claimed by ${claim}`),
      ...(keyLists ?? []).map(({ _id }) => `list ${_id} of missing references`),
      ...(batches ?? []).flatMap(({ _id, claimOwners }) => (claimOwners ? [`claims of batch ${_id}`] : [])),
      ...(steps ?? []).map(({ _id }) => `deletion step ${_id}`),
      ...(await leftOfRemoved(find, places)),
    ],
  };
}
