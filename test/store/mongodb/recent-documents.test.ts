import { v4 as uuidv4, v7 as uuidv7 } from 'uuid';
import { expect, test } from 'vitest';
import { type BatchDocument, findBatch } from '../../../store/batches/batches.ts';
import type { Database } from '../../../store/mongodb/database.ts';

const SCOPE = { platform: 'default', tenant: 'default' };

/** A store just after a failover: its first reads do not find what is there. */
function lagging(
  reads: readonly (Partial<BatchDocument> | null)[],
  isReplicated = true,
): { database: Database; readCount: () => number } {
  let readCount = 0;
  const findOne = async () => {
    readCount += 1;
    return reads[Math.min(readCount, reads.length) - 1] ?? null;
  };
  return {
    database: { collection: () => ({ findOne }), isReplicated: () => isReplicated } as unknown as Database,
    readCount: () => readCount,
  };
}

test('a batch that was accepted a moment ago is found, although the first reads from a new primary miss it', async () => {
  const _id = uuidv7();
  const { database, readCount } = lagging([null, null, { _id }]);
  expect(await findBatch(database, SCOPE, _id)).toMatchObject({ _id });
  expect(readCount()).toBe(3);
});

test('a batch that does not exist is reported within about a second', async () => {
  const { database, readCount } = lagging([null]);
  const began = performance.now();
  expect(await findBatch(database, SCOPE, uuidv7())).toBeNull();
  expect(readCount()).toBe(6);
  expect(performance.now() - began).toBeLessThan(5_000);
});

test('a server without replicas is read once', async () => {
  const { database, readCount } = lagging([null], false);
  expect(await findBatch(database, SCOPE, uuidv7())).toBeNull();
  expect(readCount()).toBe(1);
});

test('a batch whose id was made by another API process, with a clock that is 30 s off, counts as recent too', async () => {
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
])('an id %s is looked up once', async (_, id) => {
  const { database, readCount } = lagging([null]);
  expect(await findBatch(database, SCOPE, id)).toBeNull();
  expect(readCount()).toBe(1);
});

test('a batch that was deleted is reported as absent at once', async () => {
  const _id = uuidv7();
  const { database, readCount } = lagging([{ _id, deletedAt: new Date() }]);
  expect(await findBatch(database, SCOPE, _id)).toBeNull();
  expect(readCount()).toBe(1);
});

test('a caller that invents ids keeps a hundred requests waiting at most', async () => {
  const { database, readCount } = lagging([null]);
  await Promise.all(Array.from({ length: 300 }, () => findBatch(database, SCOPE, uuidv7())));
  // one read of each, and five more of those that read again
  expect(readCount()).toBe(300 + 100 * 5);
});
