import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BSON } from 'mongodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedMongodb, startMongoJavaServer } from '../../../embedded/mongodb.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { Drover } from '../../harness/drover.ts';
import { Tenant } from '../../harness/tenant.ts';

/**
 * Data that is stored after hostile loads can be read after an orderly stop and a start: `npm start` keeps its data in the durable
 * embedded MongoDB, which has to open its own file.
 */

const MIB = 1024 * 1024;
/** Documents that are read at once; where there are more, they have some kB each, but for one. */
const MANY = 100;
const WAIT = { dependencyWaitTimeout: 3600 };

const said: string[] = [];
let folder: string;
let server: EmbeddedMongodb;
let drover: Drover;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drover-stop-'));
  server = await startMongoJavaServer({ dataDir: folder, say: (line) => said.push(line) });
  drover = await Drover.start({ environment: { MONGODB_URI: server.uri, ACTIVITY_TIMEOUT_SECONDS: '60' } });
  const to = { type: 'array', items: { $ref: 'reach:schemas/thing' } };
  await drover.define('thing', { a: {}, b: {}, to });
}, 120_000);
afterAll(async () => {
  await drover.stop();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The documents of the database, by collection: their number, and the size of the largest in bytes. */
async function stored(): Promise<Record<string, { count: number; largest: number }>> {
  const { db } = batchesIn(drover.services.database);
  const found: Record<string, { count: number; largest: number }> = {};
  for (const { name } of await db.listCollections().toArray()) {
    const sizes = { count: 0, largest: 0 };
    // where there are few, each may be as large as an answer of the server
    const batchSize = (await db.collection(name).estimatedDocumentCount()) > MANY ? MANY : 1;
    for await (const document of db.collection(name).find({}, { batchSize })) {
      sizes.count += 1;
      sizes.largest = Math.max(sizes.largest, BSON.calculateObjectSize(document));
    }
    found[name] = sizes;
  }
  return found;
}

const references = (count: number, of: string): string[] =>
  Array.from({ length: count }, (_, n) => `${of}-${n}`.padEnd(150, 'm'));

const LOADS: Readonly<Record<string, (tenant: Tenant) => Promise<string>>> = {
  'four items that miss 10,000 long references each': (tenant) =>
    tenant.upload(
      'thing',
      Array.from({ length: 4 }, (_, n) => ({ externalId: `${n}`, to: references(10_000, `${n}`) })),
    ),
  'items that wait for 10,000 long references each': (tenant) =>
    tenant.upload(
      'thing',
      Array.from({ length: 2 }, (_, n) => ({ externalId: `w${n}`, to: references(10_000, `w${n}`) })),
      WAIT,
    ),
  'a resource of 13 MiB': (tenant) => tenant.upload('thing', [{ externalId: 'large', a: 'x'.repeat(13 * MIB) }]),
  'a body of a thousand resources and 15 MiB': (tenant) =>
    tenant.upload(
      'thing',
      Array.from({ length: 1000 }, (_, n) => ({ externalId: `${n}`, a: 'y'.repeat(15_000) })),
    ),
  'names and depths of any kind': (tenant) =>
    tenant.upload('thing', [
      {
        externalId: '__proto__',
        a: JSON.parse('{"a.b":1,"$set":{"":[[[[1.5]]]]},"\\u0000":null,"__proto__":{"é😀":1e300}}'),
      },
      { externalId: '$where', a: JSON.parse(`${'['.repeat(85)}${']'.repeat(85)}`) },
    ]),
  'a thousand items that are each wrong in twenty ways': (tenant) =>
    tenant.upload(
      'thing',
      Array.from({ length: 1000 }, (_, n) => ({
        externalId: `${n}`,
        ...Object.fromEntries(Array.from({ length: 25 }, (_unused, m) => [`${'unknown'.repeat(100)}${m}`, 1])),
      })).slice(0, 800),
    ),
};

test('after each of the excessive loads, and after all of them, the data can be read again', async () => {
  const tenant = new Tenant(drover);
  const ids = new Map<string, string>();
  for (const [name, load] of Object.entries(LOADS)) {
    const id = await load(tenant);
    ids.set(name, id);
    const isAtRest = ({ status }: { status: string }) => !['queued', 'processing'].includes(status);
    await drover.until(id, isAtRest, { tenant: tenant.tenant, timeoutMs: 240_000 });
    const before = await stored();
    for (const [collection, { largest }] of Object.entries(before))
      expect([name, collection, largest > 15 * MIB]).toEqual([name, collection, false]);
  }
  const before = await stored();
  const batches = await Promise.all([...ids.values()].map((id) => drover.batch(id, tenant)));
  await drover.stopWorker();
  await server.process.restart();
  expect(await stored()).toEqual(before);
  expect(said.filter((line) => line.includes('set aside'))).toEqual([]);
  for (const [at, id] of [...ids.values()].entries()) {
    const { counts } = await drover.batch(id, tenant);
    expect(counts).toEqual(batches[at]?.counts);
    expect(await tenant.items(id)).toHaveLength(Object.values(counts).reduce((sum, n) => sum + n, 0));
  }
  await drover.startWorker();
  const waiting = ids.get('items that wait for 10,000 long references each') ?? '';
  await drover.request('POST', `/api/batches/${waiting}/cancel`, tenant);
  expect((await tenant.ended(waiting)).counts.cancelled).toBe(2);
}, 600_000);
