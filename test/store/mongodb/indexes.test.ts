import { MongoServerError } from 'mongodb';
import { pino } from 'pino';
import { afterEach, expect, inject, test } from 'vitest';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import {
  createIndexes,
  createIndexesAtLast,
  INDEXES,
  type IndexDeclaration,
  type IndexedCollection,
} from '../../../store/mongodb/indexes.ts';

const [first] = INDEXES as readonly [IndexDeclaration, ...IndexDeclaration[]];

let database: Database | undefined;
afterEach(() => database?.close());

const connect = async (): Promise<Database> => {
  database = await connectDatabase(inject('mongodbUri'), `test-indexes-${process.pid}-${Date.now().toString(36)}`);
  return database;
};

/** A logger that keeps its lines. */
function keepingLogger(): { logger: pino.Logger; lines: { level: number; msg: string; index?: string }[] } {
  const lines: { level: number; msg: string; index?: string }[] = [];
  return { lines, logger: pino({ level: 'trace' }, { write: (line: string) => lines.push(JSON.parse(line)) }) };
}

/** A database whose first commands to create an index fail with this. */
async function failing(failures: readonly Error[]): Promise<{ database: Database; tried: () => number }> {
  const real = await connect();
  const left = [...failures];
  let tried = 0;
  const createIndex = async (): Promise<string> => {
    tried += 1;
    const failure = left.shift();
    if (failure) throw failure;
    return 'created';
  };
  const collection = { createIndex };
  const names = new Set(INDEXES.map((declared) => declared.collection));
  return {
    database: {
      ...real,
      collection: (name: IndexedCollection) => (names.has(name) ? collection : real.collection(name)),
    } as unknown as Database,
    tried: () => tried,
  };
}

const refused = (code: number, message: string): MongoServerError => new MongoServerError({ code, message });

test('every declared index is created, and creating them again changes nothing', async () => {
  const real = await connect();
  const { logger, lines } = keepingLogger();
  expect(await createIndexes(real, INDEXES, logger)).toEqual([]);
  expect(await createIndexes(real, INDEXES, logger)).toEqual([]);
  expect(lines).toEqual([]);
});

test('names of indexes are unique within a collection', () => {
  const names = INDEXES.map(({ collection, name }) => `${collection}.${name}`);
  expect(new Set(names).size).toBe(names.length);
});

test('an index that cannot be created is logged and retried until it exists; the others are created meanwhile', async () => {
  const { logger, lines } = keepingLogger();
  const { database: flaky, tried } = await failing([refused(11_600, 'interrupted'), new Error('socket timeout')]);
  await createIndexesAtLast(flaky, logger, new AbortController().signal, 1);
  expect(tried()).toBe(INDEXES.length + 2);
  expect(lines.map(({ level, index }) => ({ level, index }))).toEqual(
    INDEXES.slice(0, 2).map(({ name }) => ({ level: 40, index: name })),
  );
});

test('an index of the same key under another name is accepted, and not retried', async () => {
  const { logger, lines } = keepingLogger();
  const { database: flaky, tried } = await failing([refused(85, 'Index already exists with a different name: theirs')]);
  expect(await createIndexes(flaky, [first], logger)).toEqual([]);
  expect(tried()).toBe(1);
  expect(lines.map(({ level }) => level)).toEqual([30]);
});

test.each([85, 86])('a conflicting index (%d) is named in the log and not changed', async (code) => {
  const { logger, lines } = keepingLogger();
  const { database: flaky } = await failing([refused(code, 'An existing index has the same name')]);
  expect(await createIndexes(flaky, [first], logger)).toEqual([]);
  expect(lines).toMatchObject([{ level: 50, index: first.name }]);
});

test('a process that is stopped creates no more indexes', async () => {
  const { logger } = keepingLogger();
  const stopped = new AbortController();
  const { database: flaky, tried } = await failing([new Error('unavailable')]);
  const creating = createIndexesAtLast(flaky, logger, stopped.signal, 600_000);
  await expect.poll(tried).toBe(INDEXES.length);
  stopped.abort();
  await creating;
  expect(tried()).toBe(INDEXES.length);
});
