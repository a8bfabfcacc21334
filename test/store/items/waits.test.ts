import { BSON, type Document } from 'mongodb';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { type BatchDocument, batchesIn, insertBatch, readBatch } from '../../../store/batches/batches.ts';
import { recordClaims } from '../../../store/batches/run-state.ts';
import { keyListsIn, newList, readLists, removeLists, storeLists } from '../../../store/items/key-lists.ts';
import { pendingItemsIn } from '../../../store/items/pending-documents.ts';
import {
  claimedBy,
  claimPending,
  dropPending,
  readPending,
  registerPending,
  releasePending,
  renewPending,
  unclaimPending,
} from '../../../store/items/pending-items.ts';
import {
  type Registration,
  registerWaits,
  registrationsFor,
  removeWaits,
  removeWaitsOf,
  waitsIn,
} from '../../../store/items/waits.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { createIndexes, INDEXES } from '../../../store/mongodb/indexes.ts';

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `waits-${process.pid}-${Date.now().toString(36)}`);
  await createIndexes(database, INDEXES, pino({ level: 'silent' }));
});
afterAll(async () => {
  await waitsIn(database).db.dropDatabase();
  await database.close();
});
beforeEach(async () => {
  for (const collection of [waitsIn(database), pendingItemsIn(database), keyListsIn(database)])
    await collection.deleteMany({});
});

/** For tens of thousands of documents, of up to 3.4 kB, on a machine that is busy with other tests, in ms. */
const LARGE_MS = 180_000;

/** The first run of a batch. */
const first = (_id: string) => ({ _id, run: 1 });

async function waitingFor(...keys: string[]): Promise<string[]> {
  const found: Registration[] = [];
  for await (const page of registrationsFor(database, keys)) found.push(...page);
  return found.map(({ batchId, key }) => `${batchId} ${key}`).sort();
}

/** The longest identity: names of 128 characters, percent-encoded, and 256 characters of four bytes. */
const longestKey = (n: number): string =>
  `${'%E4%BD%A0'.repeat(128)}/${'%E4%BD%A0'.repeat(128)}/${crypto.randomUUID()}/${String(n).padStart(6, '0')}${'😀'.repeat(250)}`;

async function largestOf(...collections: { find(filter: object): AsyncIterable<Document> }[]): Promise<number> {
  let largest = 0;
  for (const collection of collections)
    for await (const document of collection.find({})) largest = Math.max(largest, BSON.calculateObjectSize(document));
  return largest;
}

describe('registrations', () => {
  test('of a batch that stops waiting are removed, those of others stay', async () => {
    await registerWaits(database, first('one'), 't1', ['a', 'b']);
    await registerWaits(database, first('two'), 't2', ['b', 'c']);
    await removeWaitsOf(database, first('one'));
    expect(await waitingFor('a', 'b', 'c')).toEqual(['two b', 'two c']);
  });

  test('that were renewed since they were read stay when they are answered', async () => {
    await registerWaits(database, first('one'), 'first', ['a', 'b']);
    for await (const read of registrationsFor(database, ['a', 'b'])) {
      await registerWaits(database, first('one'), 'second', ['b']);
      await removeWaits(database, read);
    }
    expect(await waitingFor('a', 'b')).toEqual(['one b']);
  });

  test('of 20,000 batches for one identity, and of one batch for 10,000 of the longest, are small documents each', {
    timeout: LARGE_MS,
  }, async () => {
    const batches = Array.from({ length: 20_000 }, (_, n) => `batch-${n}`);
    await waitsIn(database).insertMany(
      batches.map((batchId) => ({ _id: `${batchId}/x`, key: 'x', batchId, token: `token of ${batchId}` })),
    );
    await registerWaits(
      database,
      first('wide'),
      'token',
      Array.from({ length: 10_000 }, (_, n) => longestKey(n)),
    );
    expect(await largestOf(waitsIn(database))).toBeLessThan(16_384);
    expect(await waitingFor('x')).toHaveLength(20_000);
    await removeWaitsOf(database, first('wide'));
    expect(await waitsIn(database).countDocuments({})).toBe(20_000);
  });
});

describe('pending items', () => {
  test('with 10,000 of the longest references, of many batches for one identity, are read whole from small documents', {
    timeout: LARGE_MS,
  }, async () => {
    const missing = Array.from({ length: 10_000 }, (_, n) => longestKey(n));
    for (const batchId of ['one', 'two']) {
      const { list, documents } = newList(`${batchId}/0`, missing);
      await storeLists(database, [{ list, documents }]);
      await registerPending(database, first(batchId), 'token', [{ key: 'x', index: 0, missing, list }]);
    }
    expect(await largestOf(pendingItemsIn(database), keyListsIn(database))).toBeLessThan(2 * 1024 * 1024);
    const found = await readPending(database, ['x', 'y'], 10);
    expect(found.map(({ batchId }) => batchId).sort()).toEqual(['one', 'two']);
    for (const item of found) expect(item.missing).toEqual(missing);
  });

  test('that another batch has claimed are not released, unlike the others', async () => {
    const item = (index: number) => ({ key: `k${index}`, index, missing: ['m'] });
    await registerPending(database, first('one'), 't', [item(0), item(1)]);
    expect(await claimPending(database, first('two'), [{ key: 'k0', batchId: 'one', index: 0 }])).toBe(true);
    expect(await claimPending(database, first('three'), [{ key: 'k0', batchId: 'one', index: 0 }])).toBe(false);
    const claiming = { _id: 'two', run: 1, status: 'waiting', claimOwners: ['one'] } as BatchDocument;
    await batchesIn(database).insertOne(claiming);
    expect(await releasePending(database, first('one'), [item(0), item(1)])).toEqual(new Set([0]));
    expect(await claimedBy(database, first('two'))).toMatchObject([{ key: 'k0', batchId: 'one', index: 0 }]);
    // a claim that came late, after its batch had released all of them
    await batchesIn(database).updateOne({ _id: 'two' }, { $unset: { claimOwners: '' } });
    expect(await releasePending(database, first('one'), [item(0)])).toEqual(new Set());
    expect(await claimedBy(database, first('two'))).toEqual([]);
  });

  test('whose list was removed, because their batch is over, are not found', async () => {
    const keys = ['a', 'b'];
    const { list, documents } = newList('one/0', keys);
    expect(await readLists(database, [{ keys: [], list }])).toEqual([null]);
    await storeLists(database, [{ list, documents }]);
    expect(await readLists(database, [{ keys: [], list }, { keys }])).toEqual([keys, keys]);
  });
});

describe('a late command of a run that has ended', () => {
  const late = { _id: 'one', run: 1 };
  const again = { _id: 'one', run: 2 };
  const item = { key: 'k', index: 0, missing: ['m'] };
  const member = { key: 'k', batchId: 'one', index: 0 };
  const found = async () => (await readPending(database, ['k'], 10)).map(({ missing }) => missing);

  test('removes no registration, pending item or list of a later run', async () => {
    const { list, documents } = newList('one/0', ['m', 'n'], again.run);
    await storeLists(database, [{ list, documents }]);
    await registerPending(database, late, 'earlier', [item]);
    await registerPending(database, again, 'later', [{ ...item, missing: ['m', 'n'], list }]);
    await removeWaitsOf(database, late);
    await removeLists(database, 'one', late.run);
    expect(await releasePending(database, late, [item])).toEqual(new Set());
    await dropPending(database, [{ ...member, run: 1 }, member]);
    expect(await waitingFor('m', 'n')).toEqual(['one m', 'one n']);
    expect(await found()).toEqual([['m', 'n']]);
    await removeWaitsOf(database, again);
    await removeLists(database, 'one', again.run);
    await dropPending(database, [{ ...member, run: 2 }]);
    expect([await waitingFor('m', 'n'), await keyListsIn(database).countDocuments({}), await found()]).toEqual([
      [],
      0,
      [],
    ]);
  });

  test('does not replace registrations of a later run, but registers the others', async () => {
    await registerPending(database, again, 'later', [item]);
    await registerPending(database, late, 'earlier', [
      { ...item, missing: ['l', 'm'] },
      { ...item, key: 'o', index: 1 },
    ]);
    expect(await waitsIn(database).find({}).sort({ _id: 1 }).toArray()).toMatchObject([
      { _id: 'one/l', token: 'earlier', run: 1 },
      { _id: 'one/m', token: 'later', run: 2 },
    ]);
    expect(await found()).toEqual([['m']]);
    expect(await readPending(database, ['o'], 10)).toMatchObject([{ index: 1, run: 1 }]);
  });

  test('registers again what an earlier run has left, which does not count as registered', async () => {
    await registerPending(database, late, 'earlier', [item]);
    expect(await renewPending(database, late, 'same', [item], () => true)).toBe(false);
    expect(await renewPending(database, again, 'later', [item], () => true)).toBe(true);
    await removeWaitsOf(database, late);
    expect(await waitingFor('m')).toEqual(['one m']);
  });

  test('releases nothing that a later run has claimed; the later run finds what was left claimed before it', async () => {
    const [before, now] = [
      { _id: 'claims', run: 1 },
      { _id: 'claims', run: 2 },
    ];
    await registerPending(database, late, 't', [item]);
    expect(await claimPending(database, before, [member])).toBe(true);
    expect(await claimedBy(database, now)).toMatchObject([member]);
    await unclaimPending(database, now, [member]);
    expect(await claimPending(database, now, [member])).toBe(true);
    expect(await claimedBy(database, before)).toEqual([]);
    await unclaimPending(database, before, [member]);
    expect(await claimedBy(database, now)).toMatchObject([member]);
  });

  test('claims nothing more, because no batch would release it', async () => {
    await insertBatch(database, {
      _id: 'over',
      scope: { platform: 'default', tenant: 'default' },
      operation: 'patch',
      options: { ignoreUnknownFields: false },
      schemaDefinitionId: 'd',
      schemaName: 'd',
      total: 1,
      pageSize: 1,
      createdAt: new Date(),
    });
    expect(await recordClaims(database, { _id: 'over', run: 2 }, new Set(['one']))).toBe(false);
    expect(await recordClaims(database, { _id: 'over', run: 1 }, new Set(['one']))).toBe(true);
    expect(await recordClaims(database, { _id: 'over', run: 2 }, new Set())).toBe(false);
    expect((await readBatch(database, 'over'))?.claimOwners).toEqual(['one']);
    await batchesIn(database).updateOne({ _id: 'over' }, { $set: { status: 'cancelled' } });
    expect(await recordClaims(database, { _id: 'over', run: 1 }, new Set(['two']))).toBe(false);
  });
});
