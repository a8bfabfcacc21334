import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { exactJson } from '../../../domain/json/exact.ts';
import { parseJson } from '../../../domain/json/parse.ts';
import { storedBytes } from '../../../domain/json/stored.ts';
import { mergeFields } from '../../../domain/json/text.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { dataChange } from '../../../isolation/resources/stored-data.ts';
import { insertResources, updateResources } from '../../../isolation/resources/write-resources.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { type ResourceDocument, readResource } from '../../../store/resources.ts';
import { anyObjectText } from '../../domain/json/any-json.ts';

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `stored-data-${process.pid}-${Date.now().toString(36)}`);
});
afterAll(() => database.close());

const json = (text: string): JsonObject => parseJson(text) as JsonObject;

function resource(key: string, data: JsonObject, version: number): ResourceDocument {
  return {
    _id: key,
    id: 'life',
    scope: 'p/t',
    schemaDefinitionId: 's',
    schemaName: 'thing',
    externalId: key,
    data,
    bytes: storedBytes(data),
    references: [],
    version,
    createdAt: new Date(),
    updatedAt: new Date(),
    writes: [],
  };
}

const updateOf = (before: string, patch: string) => {
  const from = resource('key', json(before), 1);
  return dataChange(from, resource('key', mergeFields(from.data, json(patch)), 2), 'document');
};

test('what is inserted and then merged is read as it was sent, whatever its names, their order and its numbers are', async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(anyObjectText, anyObjectText, async (first, second) => {
      count += 1;
      const inserted = resource(`p/t/s/${count}`, json(first), 1);
      expect(await insertResources(database, [inserted])).toBe(true);
      const from = await readResource(database, inserted._id);
      if (from === null) throw new Error('it was not inserted');
      expect(exactJson(from.data)).toBe(first);
      const merged = mergeFields(from.data, json(second));
      expect(await updateResources(database, [{ from, to: resource(from._id, merged, 2) }])).toBe(true);
      const stored = await readResource(database, from._id);
      expect(exactJson(stored?.data)).toBe(exactJson(merged));
      expect(stored).toMatchObject({ version: 2, bytes: storedBytes(merged) });
    }),
    { numRuns: 400 },
  );
}, 60_000);

test('a change of some fields sends those fields', () => {
  const before = `{"id":"a","text":"${'x'.repeat(100)}","n":1,"gone":1,"inner":{"b":1,"a":2}}`;
  expect(updateOf(before, '{"n":2,"gone":null,"new":[{"$x":1}],"inner":{"b":1,"a":2}}')).toEqual({
    $set: { 'data.n': 2, 'data.new': [new Map([['\\$x', 1]])], bytes: expect.any(Number) },
    $unset: { 'data.gone': '' },
  });
  expect(updateOf(before, '{"inner":{"a":2,"b":1}}').$set).toMatchObject({ 'data.inner': { a: 2, b: 1 } });
  expect(updateOf('{"$where":"abc","x":1,"y":"abcdefghijkl"}', '{"$where":1}').$set).toMatchObject({
    'data.\\$where': 1,
  });
});

test.each([
  ['a name that cannot be a step of a path', '{"a.b":1,"c":1}', '{"a.b":2}'],
  ['an empty name', '{"":1,"c":1}', '{"":null}'],
  ['several new fields, which MongoDB would put in an order of its own', '{"c":"long text"}', '{"b":1,"a":1}'],
])('%s: all of the data is sent', (_, before, patch) => {
  const { $set, $unset } = updateOf(before, patch);
  expect([Object.keys($set), $unset]).toEqual([['data', 'bytes'], undefined]);
});

test('text of an earlier version is replaced as a whole', () => {
  const from: ResourceDocument = { ...resource('key', { a: 1, b: 'x'.repeat(50) }, 1), isText: true };
  const to = resource('key', { a: 2, b: 'x'.repeat(50) }, 2);
  expect(dataChange(from, to, 'document').$set).toMatchObject({ data: to.data });
  expect(dataChange(from, to, 'text').$set).toEqual({
    data: JSON.stringify(to.data),
    bytes: JSON.stringify(to.data).length,
  });
});
