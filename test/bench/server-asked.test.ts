import { BSON, type Document } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { direct, mongodbHost } from '../../bench/installation/network.ts';
import { type Index, indexEntriesWritten } from '../../bench/workloads/server/index-entries.ts';
import { oplogBytes } from '../../bench/workloads/server/oplog.ts';
import { readMessage } from '../../bench/workloads/server/wire.ts';
import { INDEXES } from '../../store/mongodb/indexes.ts';

describe('entries of indexes', () => {
  const indexes: Index[] = [
    { collection: 'things', key: { references: 1, _id: 1 } },
    { collection: 'things', key: { hidden: 1 }, options: { sparse: true } },
    { collection: 'things', key: { end: 1 }, options: { partialFilterExpression: { 'asked.told': false } } },
    { collection: 'others', key: { name: 1 } },
  ];
  const written = (before: Document | null, after: Document | null) =>
    indexEntriesWritten(indexes, 'things', before, after);

  test('a new document has one by its id, and one for each element of an array', () => {
    expect(written(null, { _id: 'a', references: ['x', 'y'] })).toBe(3);
  });

  test('what is not there has an entry, but in a sparse index', () => {
    expect(written(null, { _id: 'a' })).toBe(2);
    expect(written(null, { _id: 'a', hidden: true })).toBe(3);
  });

  test('a partial index has those that its filter takes', () => {
    expect(written(null, { _id: 'a', asked: { told: false } })).toBe(3);
    expect(written(null, { _id: 'a', asked: { told: true } })).toBe(2);
  });

  test('a change writes what differs', () => {
    const before = { _id: 'a', references: ['x', 'y'], name: 'one' };
    expect(written(before, { ...before, name: 'two' })).toBe(0);
    expect(written(before, { ...before, references: ['x', 'z'] })).toBe(2);
  });

  test('a removal takes all of them away', () => {
    expect(written({ _id: 'a', references: ['x', 'y'] }, null)).toBe(3);
  });

  test('every declared index is of a form that is known here', () => {
    const document = { _id: 'a', scope: 's', status: 'queued' };
    for (const { collection } of INDEXES)
      expect(indexEntriesWritten(INDEXES, collection, null, document)).toBeGreaterThan(0);
  });
});

describe('the oplog, as it is estimated', () => {
  const before = { _id: 'a', text: 'x'.repeat(1000), list: [1, 2, 3], inner: { one: 1, two: 2 } };
  const insert = oplogBytes('db.things', null, before);

  test('an insert holds the document', () => {
    expect(insert - BSON.calculateObjectSize(before)).toBeGreaterThan(100);
    expect(insert - BSON.calculateObjectSize(before)).toBeLessThan(250);
  });

  test('an update holds what differs, at any depth', () => {
    const unchanged = oplogBytes('db.things', before, before);
    expect(oplogBytes('db.things', before, { ...before, list: [1, 2, 4] }) - unchanged).toBeLessThan(60);
    expect(oplogBytes('db.things', before, { ...before, inner: { one: 1, two: 3 } }) - unchanged).toBeLessThan(60);
    expect(oplogBytes('db.things', before, { ...before, more: 'y'.repeat(500) }) - unchanged).toBeGreaterThan(500);
  });

  test('an update of nearly everything is no larger than the document', () => {
    expect(oplogBytes('db.things', before, { _id: 'a', text: 'z'.repeat(1000) })).toBeLessThan(insert + 50);
  });

  test('a delete holds the id', () => {
    expect(oplogBytes('db.things', before, null)).toBeLessThan(insert - 1000);
  });
});

/** A message as a driver sends it: a command, and documents in a section of their own. */
function message(command: Document, sequence: { name: string; documents: Document[] }): Buffer {
  const body = Buffer.concat([Buffer.from([0]), BSON.serialize(command)]);
  const documents = Buffer.concat([
    Buffer.from(`${sequence.name}\0`),
    ...sequence.documents.map((document) => BSON.serialize(document)),
  ]);
  const section = Buffer.alloc(5);
  section.writeUInt8(1, 0);
  section.writeInt32LE(documents.length + 4, 1);
  const header = Buffer.alloc(20);
  header.writeInt32LE(header.length + body.length + section.length + documents.length, 0);
  header.writeInt32LE(7, 4);
  header.writeInt32LE(2013, 12);
  return Buffer.concat([header, body, section, documents]);
}

test('a command is read with the documents that were sent beside it', () => {
  const documents = [{ _id: 'a' }, { _id: 'b' }];
  const read = readMessage(message({ insert: 'things', $db: 'db' }, { name: 'documents', documents }));
  expect(read).toEqual({ requestId: 7, responseTo: 0, body: { insert: 'things', $db: 'db', documents } });
});

test('a message of another kind is passed over', () => {
  const bytes = message({ ping: 1 }, { name: 'none', documents: [] });
  bytes.writeInt32LE(2004, 12);
  expect(readMessage(bytes)).toBeNull();
});

test.each([
  ['mongodb://127.0.0.1:27017/?directConnection=true', '127.0.0.1:27017'],
  ['mongodb://user:p%40ss@db.example:1/admin', 'db.example:1'],
  ['mongodb://[::1]:27017', '[::1]:27017'],
])('a proxy can stand before %s', (uri, host) => {
  expect(mongodbHost(uri)).toBe(host);
});

test.each(['mongodb+srv://db.example/', 'mongodb://a:1,b:2/', 'mongodb://a/'])(
  'a proxy cannot stand before %s',
  (uri) => {
    expect(() => mongodbHost(uri)).toThrow(/one host/);
  },
);

test.each([
  ['mongodb://a:1', 'mongodb://a:1/?directConnection=true'],
  ['mongodb://a:1/', 'mongodb://a:1/?directConnection=true'],
  ['mongodb://a:1/admin?w=1', 'mongodb://a:1/admin?w=1&directConnection=true'],
  ['mongodb://a:1/?directConnection=false', 'mongodb://a:1/?directConnection=false'],
])('the driver of %s does not go past a proxy', (uri, wanted) => {
  expect(direct(uri)).toBe(wanted);
});
