import fc from 'fast-check';
import { BSON } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { exactJson } from '../../../domain/json/exact.ts';
import { parseJson } from '../../../domain/json/parse.ts';
import { nameStoredAs, storedBytes, storedName, toStorable } from '../../../domain/json/stored.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { readDocument } from '../../../store/mongodb/read-document.ts';
import { anyObjectText } from './any-json.ts';

describe('what is stored', () => {
  test('is read as the same text, whatever its names, their order and its numbers are; its size is known before', () => {
    fc.assert(
      fc.property(anyObjectText, (text) => {
        const data = parseJson(text) as JsonObject;
        const bytes = BSON.serialize({ data: toStorable(data) });
        expect(exactJson((readDocument(bytes) as { data: unknown }).data)).toBe(text);
        expect(storedBytes(data)).toBe(bytes.byteLength - BSON.serialize({ data: null }).byteLength);
      }),
      { numRuns: 2_000 },
    );
  });

  test('holds 90 levels, 10,000 members and arrays of arrays', () => {
    const deep = `${'{"a":['.repeat(45)}${']}'.repeat(45)}`;
    const wide = `{${Array.from({ length: 10_000 }, (_, n) => `"${(n * 7919) % 10_000}":${n}`).join(',')}}`;
    const lists = `{"a":[[],[[]],[[[1,[2]],3]],{"1":[]}]}`;
    for (const text of [deep, wide, lists])
      expect(
        exactJson(
          (readDocument(BSON.serialize({ data: toStorable(parseJson(text) as JsonObject) })) as { data: unknown }).data,
        ),
      ).toBe(text);
  });

  test('no name that BSON, MongoDB or a driver treats in a way of its own is in it, but dots; ordinary names are themselves', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 8 }), (name) => {
        const stored = storedName(name);
        expect(stored).not.toMatch(/^\$|\0/);
        expect(nameStoredAs(stored)).toBe(name);
        if (!/^\$|[\\\0]/.test(name)) expect(stored).toBe(name);
      }),
      { numRuns: 2_000 },
    );
    expect(['$ref', 'a$', '\0', '\\0', '10', '__proto__', 'a.b'].map(storedName)).toEqual([
      '\\$ref',
      'a$',
      '\\0',
      '\\\\0',
      '10',
      '__proto__',
      'a.b',
    ]);
  });

  test('is the very object that was sent, where nothing in it needs another form', () => {
    const data = { a: 1, b: [{ 1: 2, c: 'x' }] };
    expect(toStorable(data)).toBe(data);
  });

  test('numbers are int32 where they fit, else doubles: MongoDB compares both by their value', () => {
    const stored = BSON.serialize({ data: toStorable({ a: 1, b: 1.5, c: -0, d: 2 ** 31 }) });
    const { data } = BSON.deserialize(stored, { promoteValues: false });
    expect(['a', 'b', 'c', 'd'].map((name) => data[name]._bsontype)).toEqual(['Int32', 'Double', 'Double', 'Double']);
  });
});

test('a value that no resource has is refused, not read as another', () => {
  expect(() => readDocument(BSON.serialize({ a: new BSON.ObjectId() }))).toThrow('BSON type 7');
  expect(readDocument(BSON.serialize({ a: BSON.Long.fromNumber(2 ** 40), b: new Date(5) }))).toEqual({
    a: 2 ** 40,
    b: new Date(5),
  });
});
