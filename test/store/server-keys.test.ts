import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { connectDatabase, type Database } from '../../store/mongodb/database.ts';
import { serverKey, serverKeysIn } from '../../store/server-keys.ts';

const name = `server-keys-${randomUUID()}`;
let processes: Database[];

beforeAll(async () => {
  processes = await Promise.all(Array.from({ length: 4 }, () => connectDatabase(inject('mongodbUri'), name)));
});
afterAll(() => Promise.all(processes.map((database) => database.close())));

test('processes that need a key at the same moment all get the same one', async () => {
  for (let round = 0; round < 20; round++) {
    const keys = await Promise.all(processes.map((database) => serverKey(database, `at once ${round}`)));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect(keys[0]?.byteLength).toBe(32);
  }
});

test('a key is made once, and each purpose has its own', async () => {
  const [database] = processes as [Database];
  const first = await serverKey(database, 'one');
  expect(await serverKey(database, 'one')).toEqual(first);
  expect(await serverKey(database, 'other')).not.toEqual(first);
  expect(await serverKeysIn(database).countDocuments({ _id: { $in: ['one', 'other'] } })).toBe(2);
});

test('if MongoDB cannot be reached, the result is an error, never another key', async () => {
  const gone = await connectDatabase(inject('mongodbUri'), name);
  await gone.close();
  await expect(serverKey(gone, 'one')).rejects.toThrow();
});
