import { describe, expect, test } from 'vitest';
import { csvCell, csvLine } from '../../../domain/csv/cell.ts';
import { columnsOf, valuesIn } from '../../../domain/csv/columns.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';

const CITY: JsonObject = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    position: {
      type: 'object',
      properties: { latitude: { type: 'number' }, at: { type: 'object', properties: { height: {} } } },
    },
    tags: { type: 'array' },
    any: {},
    open: { type: 'object' },
  },
};
const columns = columnsOf(CITY, 'id');
const rowOf = (data: JsonObject): string => csvLine(valuesIn(data, columns).map(csvCell));

test('the columns are the properties in their order, nested ones by their path; what may hold other fields is at the end', () => {
  expect(columns.map(({ name }) => name)).toEqual([
    ...['id', 'name', 'position.latitude', 'position.at.height', 'tags', 'any', 'open', 'position.at', 'position'],
  ]);
  expect(columnsOf({ properties: { id: {}, a: true } }, 'id').map(({ name }) => name)).toEqual(['id', 'a']);
  expect(columnsOf({}, 'id').map(({ name }) => name)).toEqual(['id']);
});

describe('a row', () => {
  test('has the value of each field in its column', () => {
    const position = { latitude: 1.5, at: { height: null } };
    expect(rowOf({ id: 'a', name: 'say "x", y', position, tags: [1, 'b"'], any: false, open: { a: 1 } })).toBe(
      '"a","say ""x"", y",1.5,\\N,"[1,""b\\""""]",false,"{""a"":1}",,\n',
    );
  });

  test('tells an empty text, null and the text that stands for null from what is absent', () => {
    expect(rowOf({ id: '', name: '\\N', tags: [], any: null })).toBe('"","\\N",,,"[]",\\N,,,\n');
    expect(rowOf({ id: '1', any: -0, name: '=1+1\n;' })).toBe('"1","=1+1\n;",,,,-0,,,\n');
    expect(rowOf({ id: '1', any: 12345678901234567000 })).toBe('"1",,,,,12345678901234567168,,,\n');
  });

  test.each([
    ['other fields', { latitude: 1, more: 2 }, '"{""latitude"":1,""more"":2}"'],
    ['no fields', {}, '"{}"'],
    ['another type', 5, '5'],
    ['null', null, '\\N'],
  ])('has an object with %s as a whole', (_, position, cell) => {
    expect(rowOf({ id: '1', position })).toBe(`"1",,,,,,,,${cell}\n`);
  });

  test('has a nested object with other fields as a whole, beside the fields around it', () => {
    expect(rowOf({ id: '1', position: { latitude: 1, at: { x: 1 } } })).toBe('"1",,1,,,,,"{""x"":1}",\n');
  });

  test('does not find names that every object has', () => {
    expect(
      valuesIn({}, columnsOf({ properties: { constructor: {}, __proto__: {} } } as JsonObject, 'toString')),
    ).toEqual([undefined, undefined]);
  });
});
