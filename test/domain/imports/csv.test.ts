import { describe, expect, test } from 'vitest';
import { csvFormatOf, parseRecords, resourceText } from '../../../domain/imports/csv.ts';
import { recordsOf } from '../../../domain/imports/csv-records.ts';
import type { Content } from '../../../domain/imports/lines.ts';

/** Content in chunks of some bytes. */
const contentOf = (text: string | Uint8Array, size: number, isComplete = true): Content => ({
  isComplete,
  async *[Symbol.asyncIterator]() {
    const bytes = Buffer.from(text as Uint8Array);
    for (let at = 0; at < bytes.length; at += size)
      yield { part: 1, chunk: at / size, offset: 0, bytes: bytes.subarray(at, at + size) };
  },
});

async function records(text: string, { size = 3, isComplete = true, maxBytes = 1_000 } = {}) {
  const found = [];
  for await (const record of recordsOf(contentOf(text, size, isComplete), 1, maxBytes))
    found.push([record.line, Buffer.from(record.bytes).toString(), ...(record.flaw ? [record.flaw] : [])]);
  return found;
}

describe('records of CSV', () => {
  test.each([1, 2, 3, 7, 100])('are found whatever the chunks (%i bytes)', async (size) => {
    expect(await records('a,b\r\n\n"x\ny","z""\n"\n\r\nlast,1', { size })).toEqual([
      [1, 'a,b'],
      [3, '"x\ny","z""\n"'],
      [7, 'last,1'],
    ]);
  });

  test('without the end of their line are records only if the content is complete', async () => {
    expect(await records('a,b\nc,', { isComplete: false })).toEqual([[1, 'a,b']]);
    expect(await records('a,b\n"c', { isComplete: false })).toEqual([[1, 'a,b']]);
  });

  test('with a quote that is not closed, or too long, end the reading after their first line', async () => {
    expect(await records('a,b\n"open\nc,d\n')).toEqual([
      [1, 'a,b'],
      [2, '"open', 'has a quote that is not closed'],
    ]);
    const long = `"${'x'.repeat(50)}\n${'y'.repeat(50)}\n"\nc,d\n`;
    expect(await records(long, { maxBytes: 60 })).toEqual([[1, `"${'x'.repeat(50)}`, 'is too long']]);
  });
});

const TARGET = {
  schema: {
    type: 'object',
    properties: {
      name: { type: 'string' },
      size: { type: 'integer' },
      rate: { type: ['number', 'null'] },
      open: { type: 'boolean' },
      tags: { type: 'array', items: { type: 'string' } },
      place: { type: 'object', properties: { street: { $ref: '#/definitions/street' } } },
      'dotted.name': { type: 'string' },
    },
    definitions: { street: { type: 'object', properties: { no: { type: 'integer' } } } },
  },
  externalIdField: 'externalId',
  ignoreUnknownFields: false,
};

const formatOf = (header: string, options = {}) => csvFormatOf(Buffer.from(header), options, TARGET);

test('cells are read by the types of the schema, nested ones too; an empty cell is absent, \\N is null', () => {
  const { format, faults } = formatOf('externalId,Full name,size,rate,open,tags,place.street.no,dotted.name,_line', {
    renamed: { 'Full name': 'name' },
  });
  expect(faults).toEqual([]);
  const [row = []] = parseRecords('a,"Ann ""A"", x",9007199254740993,1.50,true,"[""t""]",7,d,12\n', ',') ?? [];
  expect(resourceText(row, format)).toBe(
    '{"externalId":"a","name":"Ann \\"A\\", x","size":9007199254740993,"rate":1.50,"open":true,"tags":["t"],"place":{"street":{"no":7}},"dotted.name":"d"}',
  );
  expect(resourceText(['b', '', 'many', '\\N', 'yes', '[', '', '', ''], format)).toBe(
    '{"externalId":"b","size":"many","rate":null,"open":"yes","tags":"["}',
  );
});

test.each([
  ['externalId;name;size', {}, ';'],
  ['externalId\tname', {}, '\t'],
  ['externalId', {}, ','],
  ['"externalId","na;m;e"', { delimiter: ',' as const }, ','],
])('the delimiter of %j is found', (header, options, delimiter) => {
  expect(formatOf(header, options).format.delimiter).toBe(delimiter);
});

test.each([
  ['externalId,name,name', {}, 'header: "name" is given twice'],
  ['externalId,name,x', { renamed: { x: 'name' } }, 'header: "x" is given twice'],
  ['externalId,colour', {}, 'header: the schema has no field for the column "colour"'],
  ['externalId,place,place.street', {}, 'header: "place.street" is a part of another column'],
  ['externalId,,name', {}, 'header: column 2 has no name'],
  ['name', {}, 'header: there is no column for "externalId"'],
  ['externalId', { renamed: { none: 'name' } }, 'columns: there is no column "none"'],
])('the header %j has a fault that is named', (header, options, fault) => {
  expect(formatOf(header, options).faults).toContain(fault);
});

test('a header that is no UTF-8 is a fault', () => {
  expect(csvFormatOf(Buffer.from('externalId,caf\xe9', 'latin1'), {}, TARGET).faults).toContain(
    'header: is not valid UTF-8',
  );
});
