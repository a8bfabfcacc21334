import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BSON, type Collection, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { javaClassPath } from '../../embedded/java-tools.ts';
import { type EmbeddedMongodb, startMongoJavaServer } from '../../embedded/mongodb.ts';
import { run } from '../../embedded/processes.ts';

/** The embedded server refuses what a real server refuses, with the codes of mongod 4.4 and 5.0. */

interface Stored {
  _id: string;
  [field: string]: unknown;
}

const MAX_BYTES = 16 * 1024 * 1024;
const INTERNAL_BYTES = 16 * 1024;
const said: string[] = [];

let folder: string;
let server: EmbeddedMongodb;
let client: MongoClient;
let things: Collection<Stored>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drover-limits-'));
  server = await startMongoJavaServer({ dataDir: folder, say: (line) => said.push(line) });
  client = new MongoClient(server.uri, { retryWrites: false });
  things = client.db('test').collection<Stored>('things');
});
afterAll(async () => {
  await client.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A document of this many bytes. */
function ofBytes(bytes: number, _id: string): Stored {
  const empty = BSON.calculateObjectSize({ _id, text: '' });
  return { _id, text: 'x'.repeat(bytes - empty) };
}

const nested = (levels: number): object => {
  let value: object = {};
  for (let level = 1; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};

describe('documents', () => {
  test('of 16 MiB are stored; one byte more is refused, and the connection stays open', async () => {
    await things.insertOne(ofBytes(MAX_BYTES, 'full'));
    await expect(things.insertOne(ofBytes(MAX_BYTES + 1, 'over'))).rejects.toMatchObject({ code: 2 });
    await expect(things.insertOne(ofBytes(MAX_BYTES + INTERNAL_BYTES + 1, 'over'))).rejects.toMatchObject({
      code: 10_334,
    });
    expect(await things.countDocuments({})).toBe(1);
    await things.deleteMany({});
  });

  test('that an update would make too large are not changed', async () => {
    await things.insertOne({ ...ofBytes(10 * 1024 * 1024, 'grows'), n: 1 });
    const field = (bytes: number) => ({ $set: { more: 'y'.repeat(bytes), n: 2 } });
    const left = MAX_BYTES - 10 * 1024 * 1024;
    await expect(things.updateOne({ _id: 'grows' }, field(left + 1_000))).rejects.toMatchObject({ code: 17_419 });
    await expect(things.updateOne({ _id: 'grows' }, field(left + 100_000))).rejects.toMatchObject({ code: 10_334 });
    expect(await things.findOne({ _id: 'grows' }, { projection: { text: 0 } })).toEqual({ _id: 'grows', n: 1 });
    await things.deleteMany({});
  });

  test('that an upsert would make too large are not inserted', async () => {
    const half = 'x'.repeat(MAX_BYTES / 2);
    const upsert = things.updateOne({ _id: 'new' }, { $set: { a: half, b: half } }, { upsert: true });
    await expect(upsert).rejects.toMatchObject({ code: 17_420 });
    expect(await things.countDocuments({})).toBe(0);
  });

  test('of 100 levels are stored, deeper ones are not', async () => {
    await things.insertOne({ _id: 'deep', value: nested(99) });
    await expect(things.insertOne({ _id: 'deeper', value: nested(100) })).rejects.toMatchObject({ code: 15 });
    await expect(things.updateOne({ _id: 'deep' }, { $set: { value: nested(100) } })).rejects.toMatchObject({
      code: 15,
    });
    await things.deleteMany({});
  });

  test('that are too large do not prevent other writes of a bulk', async () => {
    await things.insertOne(ofBytes(10 * 1024 * 1024, 'grows'));
    const bulk = things.bulkWrite(
      [
        { updateOne: { filter: { _id: 'grows' }, update: { $set: { more: 'y'.repeat(8 * 1024 * 1024) } } } },
        { insertOne: { document: { _id: 'other' } } },
      ],
      { ordered: false },
    );
    await expect(bulk).rejects.toMatchObject({ code: 10_334 });
    expect(await things.countDocuments({ _id: 'other' })).toBe(1);
    await things.deleteMany({});
  });
});

describe('field names', () => {
  test('with dots and dollars may be inserted, not in an _id, nor be a part of the path of an update', async () => {
    await things.insertOne({ _id: 'names', 'a.b': 1, inner: { $c: 2, 'd.e': 3, '': 4 } });
    expect(await things.findOne({ _id: 'names' })).toEqual({
      _id: 'names',
      'a.b': 1,
      inner: { $c: 2, 'd.e': 3, '': 4 },
    });
    const withOperator = { _id: { $c: 1 } } as unknown as Stored;
    await expect(things.insertOne(withOperator)).rejects.toMatchObject({ code: 52 });
    await expect(things.updateOne({ _id: 'names' }, { $set: { 'inner.$d': 1 } })).rejects.toMatchObject({ code: 52 });
    await expect(things.updateOne({ _id: 'names' }, { $set: { 'inner..d': 1 } })).rejects.toMatchObject({ code: 56 });
    await expect(things.updateOne({ _id: 'names' }, { $set: { '': 1 } })).rejects.toMatchObject({ code: 56 });
    await things.deleteMany({});
  });
});

test('an update changes what differs in its bytes only: -0 and 0, and the order of fields', async () => {
  await things.insertOne({ _id: 'bytes', n: 0, inner: { a: 1, b: { c: 0 } }, list: [0] });
  const exact = { n: -0, 'inner.b': { c: -0, d: 1 }, list: [-0], m: 1 };
  await things.updateOne({ _id: 'bytes' }, { $set: exact });
  await things.updateOne({ _id: 'bytes' }, { $set: { 'inner.b': { d: 1, c: -0 }, 'new.path': 2, m: 2 } });
  const stored = await things.findOne({ _id: 'bytes' });
  expect(stored).toEqual({
    _id: 'bytes',
    n: -0,
    inner: { a: 1, b: { d: 1, c: -0 } },
    list: [-0],
    m: 2,
    new: { path: 2 },
  });
  expect(JSON.stringify(stored?.inner)).toBe('{"a":1,"b":{"d":1,"c":0}}');
  await things.deleteMany({});
});

test('a reply holds 16 MiB of documents, and the next one continues', async () => {
  for (let n = 0; n < 5; n++) await things.insertOne(ofBytes(7 * 1024 * 1024, `${n}`));
  const cursor = things.find({}).sort({ _id: 1 });
  expect((await cursor.next())?._id).toBe('0');
  expect(cursor.bufferedCount()).toBe(1);
  expect((await cursor.toArray()).map(({ _id }) => _id)).toEqual(['1', '2', '3', '4']);
  expect(await things.find({}, { batchSize: 1 }).toArray()).toHaveLength(5);
  expect((await things.updateMany({}, { $set: { n: 1 } })).modifiedCount).toBe(5);
  expect((await things.deleteMany({})).deletedCount).toBe(5);
});

test('a collection and a database are dropped', async () => {
  await client.db('other').collection<Stored>('things').insertOne({ _id: 'a' });
  await client.db('other').collection<Stored>('more').insertOne({ _id: 'a' });
  await client.db('other').collection('more').drop();
  await client.db('other').dropDatabase();
  expect(await client.db('other').collection('things').countDocuments({})).toBe(0);
});

test('maxTimeMS is accepted on every command that a worker sends', async () => {
  const maxTimeMS = 5_000;
  await things.insertMany([{ _id: 'a' }, { _id: 'b' }], { maxTimeMS });
  await things.bulkWrite([{ updateOne: { filter: { _id: 'a' }, update: { $set: { n: 1 } } } }], { maxTimeMS });
  await things.updateMany({}, { $set: { m: 1 } }, { maxTimeMS });
  const found = await things.findOneAndUpdate({ _id: 'a', n: 1 }, { $set: { n: 2 } }, { maxTimeMS });
  expect(found).toMatchObject({ _id: 'a', n: 1 });
  expect(await things.countDocuments({}, { maxTimeMS })).toBe(2);
  expect(await things.find({}, { maxTimeMS, batchSize: 1 }).toArray()).toHaveLength(2);
  await things.deleteOne({ _id: 'a' }, { maxTimeMS });
  await things.deleteMany({}, { maxTimeMS });
  expect(await things.estimatedDocumentCount({ maxTimeMS })).toBe(0);
});

test('a file that contains a document above the limit is opened: that document is set aside and named, the others are served', async () => {
  await things.insertMany(Array.from({ length: 20 }, (_, n) => ({ _id: `thing ${n}`, n })));
  await client.close();
  await server.stop();
  const classPath = await javaClassPath('mongodb', () => undefined);
  const classes = join(folder, 'classes');
  mkdirSync(classes);
  const source = join(import.meta.dirname, 'java/durable/StoreTooLarge.java');
  await run('javac', ['-nowarn', '-cp', classPath, '-d', classes, source], { timeoutMs: 60_000 });
  const file = join(folder, 'mongodb.mv');
  const store = [
    '-cp',
    `${classes}:${classPath}`,
    'durable.StoreTooLarge',
    file,
    'test.things',
    'thing 7½',
    '17000000',
  ];
  await run('java', store, { timeoutMs: 60_000 });
  await server.process.restart();
  expect(said).toContainEqual(
    expect.stringMatching(/^MongoDB: set aside: test\.things thing 7½, a document of 170000\d\d bytes/),
  );
  client = new MongoClient(server.uri, { retryWrites: false });
  things = client.db('test').collection<Stored>('things');
  expect((await things.find({}).toArray()).map(({ n }) => n)).toHaveLength(20);
  expect(await things.findOne({ _id: 'thing 7½' })).toBeNull();
  await things.insertOne({ _id: 'thing 7½', n: 7.5 });
  await client.close();
  await server.process.restart();
  client = new MongoClient(server.uri, { retryWrites: false });
  things = client.db('test').collection<Stored>('things');
  expect(await things.countDocuments({})).toBe(21);
  expect(said.filter((line) => line.includes('set aside'))).toHaveLength(1);
});
