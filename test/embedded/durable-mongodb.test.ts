import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Collection, MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedMongodb, startMongoJavaServer } from '../../embedded/mongodb.ts';

interface Numbered {
  _id: string;
  value: number;
}

let folder: string;
let server: EmbeddedMongodb;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drover-durable-'));
  server = await startMongoJavaServer({ dataDir: folder, say: () => undefined });
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes until the server dies: bulks of inserts, and updates of inserted documents. @returns the acknowledged writes. */
async function writeUntilKilled(collection: Collection<Numbered>, prefix: string): Promise<Map<string, number>> {
  const acknowledged = new Map<string, number>();
  const writer = async (name: string): Promise<void> => {
    for (let round = 0; ; round++) {
      const bulk = Array.from({ length: 20 }, (_, index) => ({ _id: `${prefix}-${name}-${round}-${index}`, value: 0 }));
      await collection.insertMany(bulk);
      for (const { _id, value } of bulk) acknowledged.set(_id, value);
      for (const { _id } of bulk.slice(0, 5)) {
        await collection.updateOne({ _id }, { $inc: { value: 1 } });
        acknowledged.set(_id, 1);
      }
    }
  };
  await Promise.allSettled(['a', 'b', 'c', 'd'].map(writer));
  return acknowledged;
}

test('no acknowledged write is lost when the durable server is killed in the middle of writing, again and again', async () => {
  const acknowledged = new Map<string, number>();
  for (const round of [1, 2]) {
    const client = new MongoClient(server.uri, { serverSelectionTimeoutMS: 500, retryWrites: false });
    const writing = writeUntilKilled(client.db('test').collection<Numbered>('numbers'), `kill${round}`);
    await sleep(1_000);
    await server.process.kill();
    for (const [id, value] of await writing) acknowledged.set(id, value);
    await client.close();
    await server.process.restart();
  }
  const client = new MongoClient(server.uri);
  const stored = new Map<string, number>();
  for (const { _id, value } of await client.db('test').collection<Numbered>('numbers').find().toArray()) {
    stored.set(_id, value);
  }
  await client.close();
  const lost = [...acknowledged].filter(([id, value]) => (stored.get(id) ?? -1) < value);
  expect(acknowledged.size).toBeGreaterThan(100);
  expect(lost).toEqual([]);
});

test('an insert of many documents is stored whole or not at all, and its keys still work after a kill', async () => {
  const client = new MongoClient(server.uri);
  const numbers = client.db('test').collection<Numbered>('numbers');
  const stored = await numbers.find().toArray();
  const bulks = new Map<string, number>();
  for (const { _id } of stored) {
    const bulk = _id.slice(0, _id.lastIndexOf('-'));
    bulks.set(bulk, (bulks.get(bulk) ?? 0) + 1);
  }
  expect([...new Set(bulks.values())]).toEqual([20]);
  const first = stored[0];
  if (!first) throw new Error('nothing is stored');
  await expect(numbers.insertOne(first)).rejects.toMatchObject({ code: 11_000 });
  expect(await numbers.findOne({ _id: first._id })).toEqual(first);
  expect((await numbers.deleteOne({ _id: first._id })).deletedCount).toBe(1);
  await numbers.insertOne(first);
  await client.close();
});

test('the file does not grow with the number of commits', async () => {
  const client = new MongoClient(server.uri);
  const counters = client.db('test').collection<Numbered>('counters');
  await counters.insertOne({ _id: 'one', value: 0 });
  const write = async (times: number): Promise<number> => {
    for (let time = 0; time < times; time++) await counters.updateOne({ _id: 'one' }, { $inc: { value: 1 } });
    return statSync(join(folder, 'mongodb.mv')).size;
  };
  const before = await write(200);
  const after = await write(600);
  await client.close();
  expect(after).toBeLessThan(before + 2 * 1024 * 1024);
});
