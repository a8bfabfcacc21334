import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { connectDatabase, type Database } from '../../store/database.ts';
import { registerPending, stopWaiting } from '../../store/dependencies.ts';

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `dependencies-${process.pid}-${Date.now().toString(36)}`);
});
afterAll(async () => {
  await database.dependencies.db.dropDatabase();
  await database.close();
});

/** Waits of a batch for some keys. */
const wait = (of: Database, batchId: string, keys: readonly string[]) =>
  registerPending(of, batchId, `token of ${batchId}`, [{ key: `item of ${batchId}`, index: 0, missing: keys }]);

/** Who waits, by key. */
async function waiting(keys: readonly string[]) {
  const documents = await database.dependencies.find({ _id: { $in: [...keys] } }).toArray();
  return Object.fromEntries(documents.map(({ _id, waiting: found }) => [_id, Object.keys(found ?? {})]));
}

test('a batch that stops waiting leaves the waits and the pending items of others, and nothing of its own', async () => {
  await wait(database, 'one', ['a', 'b', 'item of two']);
  await wait(database, 'two', ['b', 'c']);
  await stopWaiting(database, 'one', ['a', 'b', 'c', 'd', 'item of two']);
  expect(await waiting(['a', 'b', 'c', 'd', 'item of two'])).toEqual({ b: ['two'], c: ['two'], 'item of two': [] });
});

test('a batch that stops waiting leaves the wait of one that registers at the same moment', async () => {
  await wait(database, 'three', ['x', 'y']);
  const { dependencies } = database;
  const racing = new Proxy(dependencies, {
    get: (target, name) => {
      if (name !== 'deleteMany') return Reflect.get(target, name, target).bind(target);
      return async (filter: object) => {
        await wait(database, 'four', ['x']);
        return dependencies.deleteMany(filter);
      };
    },
  });
  await stopWaiting({ ...database, dependencies: racing }, 'three', ['x', 'y']);
  expect(await waiting(['x', 'y'])).toEqual({ x: ['four'] });
});

test('what a delivery has emptied that died then goes when the next one stops waiting', async () => {
  await wait(database, 'five', ['p', 'q']);
  await database.dependencies.updateOne({ _id: 'p' }, { $unset: { 'waiting.five': '' } });
  await stopWaiting(database, 'five', ['p', 'q']);
  expect(await waiting(['p', 'q'])).toEqual({});
});
