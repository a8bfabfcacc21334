import { v4 as uuidv4, v7 as uuidv7 } from 'uuid';
import { expect, test } from 'vitest';
import { type BatchDocument, findBatch } from '../../../store/batches/batches.ts';
import type { Database } from '../../../store/mongodb/database.ts';

const SCOPE = { platform: 'default', tenant: 'default' };

/** A store that a failover has just made: its first looks do not find what is there. */
function lagging(
  looks: readonly (Partial<BatchDocument> | null)[],
  isReplicated = true,
): { database: Database; asked: () => number } {
  let asked = 0;
  const findOne = async () => {
    asked += 1;
    return looks[Math.min(asked, looks.length) - 1] ?? null;
  };
  return {
    database: { collection: () => ({ findOne }), isReplicated: () => isReplicated } as unknown as Database,
    asked: () => asked,
  };
}

test('a batch that was accepted a moment ago is found, though the first looks of a new primary miss it', async () => {
  const _id = uuidv7();
  const { database, asked } = lagging([null, null, { _id }]);
  expect(await findBatch(database, SCOPE, _id)).toMatchObject({ _id });
  expect(asked()).toBe(3);
});

test('where there is none, that is said within about a second', async () => {
  const { database, asked } = lagging([null]);
  const began = performance.now();
  expect(await findBatch(database, SCOPE, uuidv7())).toBeNull();
  expect(asked()).toBe(6);
  expect(performance.now() - began).toBeLessThan(5_000);
});

test('a server that no other can replace is asked once', async () => {
  const { database, asked } = lagging([null], false);
  expect(await findBatch(database, SCOPE, uuidv7())).toBeNull();
  expect(asked()).toBe(1);
});

test('one whose id another API process made, with a clock that is 30 s off, is young too', async () => {
  for (const offMs of [-30_000, 30_000]) {
    const _id = uuidv7({ msecs: Date.now() + offMs });
    const { database } = lagging([null, { _id }]);
    expect(await findBatch(database, SCOPE, _id)).toMatchObject({ _id });
  }
});

test.each([
  ['made minutes ago', uuidv7({ msecs: Date.now() - 300_000 })],
  ['of another version', uuidv4()],
  ['that is no UUID', 'x'.repeat(300)],
])('an id %s is looked for once', async (_, id) => {
  const { database, asked } = lagging([null]);
  expect(await findBatch(database, SCOPE, id)).toBeNull();
  expect(asked()).toBe(1);
});

test('a batch that was deleted is not there, at once', async () => {
  const _id = uuidv7();
  const { database, asked } = lagging([{ _id, deletedAt: new Date() }]);
  expect(await findBatch(database, SCOPE, _id)).toBeNull();
  expect(asked()).toBe(1);
});

test('whoever makes up ids keeps a hundred callers waiting at most', async () => {
  const { database, asked } = lagging([null]);
  await Promise.all(Array.from({ length: 300 }, () => findBatch(database, SCOPE, uuidv7())));
  // one look of each, and five more of those that looked again
  expect(asked()).toBe(300 + 100 * 5);
});
