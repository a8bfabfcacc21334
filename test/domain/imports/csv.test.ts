import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { csvCell } from '../../../domain/csv/cell.ts';
import { columnsOf, valuesIn } from '../../../domain/csv/columns.ts';
import { type CsvOptions, csvFormatOf, resourceText } from '../../../domain/imports/csv.ts';
import { countCells, parseCells, parseRecords } from '../../../domain/imports/csv-cells.ts';
import { recordsOf } from '../../../domain/imports/csv-records.ts';
import type { Content } from '../../../domain/imports/lines.ts';
import { MAX_BODY_PARTS } from '../../../domain/limits.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';

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

test('the cells of a record are counted as the parser finds them, and what is none to the parser is none', () => {
  const some = fc.array(fc.constantFrom(',', '"', '""', 'a', ' ', '\r', 'é'), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(some, (pieces) => {
      const text = `${pieces.join('')}.`;
      expect(countCells(Buffer.from(text), ',')).toBe(parseRecords(text, ',')?.[0]?.length ?? null);
      const quoted = `"${text.replaceAll('"', '""')}\n",${text}`;
      expect(countCells(Buffer.from(quoted), ',')).toBe(parseRecords(quoted, ',')?.[0]?.length ?? null);
    }),
    { numRuns: 500 },
  );
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

const cellsOf = (text: string, always = false) => parseCells(Buffer.from(text), ',', always) ?? [];
const formatOf = (header: string, options: CsvOptions = {}) => csvFormatOf(Buffer.from(header), options, TARGET);

test('cells are read by the types of the schema, nested ones too; an empty cell is absent, \\N is null', () => {
  const { format, faults } = formatOf('externalId,Full name,size,rate,open,tags,place.street.no,dotted.name,_line', {
    renamed: [['Full name', 'name']],
  });
  expect(faults).toEqual([]);
  const [row = []] = cellsOf('a,"Ann ""A"", x",9007199254740993,1.50,true,"[""t""]",7,d,12\n');
  expect(resourceText(row, format.columns)).toEqual({
    text: '{"externalId":"a","name":"Ann \\"A\\", x","size":9007199254740993,"rate":1.50,"open":true,"tags":["t"],"place":{"street":{"no":7}},"dotted.name":"d"}',
  });
  expect(resourceText(['b', '', 'many', '\\N', 'yes', '[', '', '', ''], format.columns)).toEqual({
    text: '{"externalId":"b","size":"many","rate":null,"open":"yes","tags":"["}',
  });
});

test('a row whose cells of JSON have too many parts together is none, and they are not parsed', () => {
  const schema = { properties: { a: { type: 'array' }, b: { type: ['string', 'object'] } } };
  const { format } = csvFormatOf(Buffer.from('externalId,a,b'), {}, { ...TARGET, schema });
  const cell = `[${'{},'.repeat(MAX_BODY_PARTS / 2)}{}]`;
  expect(resourceText(['x', cell, cell], format.columns)).toEqual({
    fault: `holds more than ${MAX_BODY_PARTS} objects, arrays and members`,
  });
  expect(resourceText(['x', '[{}]', '{}'], format.columns)).toEqual({ text: '{"externalId":"x","a":[{}],"b":{}}' });
});

test.each([
  ['externalId;name;size', {}, ';'],
  ['externalId\tname', {}, '\t'],
  ['externalId', {}, ','],
  ['"externalId","na;m;e"', { delimiter: ',' as const }, ','],
])('the delimiter of %j is found', (header, options, delimiter) => {
  expect(formatOf(header, options).format.delimiter).toBe(delimiter);
});

test.each<[string, CsvOptions, string]>([
  ['externalId,name,name', {}, 'header: "name" is given twice'],
  ['externalId,name,x', { renamed: [['x', 'name']] }, 'header: "x" is given twice'],
  ['externalId,colour', {}, 'header: the schema has no field for the column "colour"'],
  ['externalId,,name', {}, 'header: column 2 has no name'],
  ['name', {}, 'header: there is no column for "externalId"'],
  ['externalId', { renamed: [['none', 'name']] }, 'columns: there is no column "none"'],
])('the header %j has a fault that is named', (header, options, fault) => {
  expect(formatOf(header, options).faults).toContain(fault);
});

test('a header of very many columns has one fault, and is not read on', () => {
  expect(formatOf(','.repeat(65_000))).toMatchObject({
    format: { header: [] },
    faults: ['header: has 65001 columns, and may have 5000'],
  });
});

test('a header that is no UTF-8 is a fault', () => {
  expect(csvFormatOf(Buffer.from('externalId,caf\xe9', 'latin1'), {}, TARGET).faults).toContain(
    'header: is not valid UTF-8',
  );
});

test('a quoted cell is a text, an empty one and \\N too; of another type an empty one is absent', () => {
  const { format } = formatOf('externalId,name,size');
  const read = (line: string) => cellsOf(`${line}\n`).map((cells) => resourceText(cells, format.columns));
  expect(read('a,"",""')).toEqual([{ text: '{"externalId":"a","name":""}' }]);
  expect(read('"a","\\N",5')).toEqual([{ text: '{"externalId":"a","name":"\\\\N","size":5}' }]);
  expect(read('a,\\N,"5"')).toEqual([{ text: '{"externalId":"a","name":null,"size":5}' }]);
  expect(read('a,"""q""",')).toEqual([{ text: '{"externalId":"a","name":"\\"q\\""}' }]);
});

test('a row with a value for a field and for a part of it is none', () => {
  const { format, faults } = formatOf('externalId,place.street.no,place');
  expect(faults).toEqual([]);
  const fault = { fault: 'has a value for a part of "place" beside one for the whole' };
  expect(resourceText(['a', '7', '{"street":{}}'], format.columns)).toEqual(fault);
  expect(resourceText(['a', '', '{"x":1}'], format.columns)).toEqual({ text: '{"externalId":"a","place":{"x":1}}' });
});

test('columns of results and of the envelope are passed over, but for a field of that name', () => {
  const own = { ...TARGET, schema: { properties: { _id: { type: 'integer' } } } };
  const header = 'externalId,_id,_line,_errors,_id,_versionNumber,_createdAt,_updatedAt,_id';
  const { format, faults } = csvFormatOf(Buffer.from(header), {}, own);
  expect(faults).toEqual([]);
  expect(format.columns.map((column) => column?.path.join('.') ?? null)).toEqual([
    'externalId',
    '_id',
    ...Array(7).fill(null),
  ]);
});

test('what is exported as CSV is read as the same resource', () => {
  const schema = {
    ...TARGET.schema,
    properties: {
      ...TARGET.schema.properties,
      either: { type: ['string', 'integer', 'boolean', 'null'] },
      anything: {},
      place: { type: 'object', properties: { lat: { type: 'number' }, note: { type: 'string' } } },
    },
  };
  const text = fc.oneof(fc.string(), fc.constantFrom('', '\\N', 'null', '5', 'true', '"', 'a,b\r\n"c"', ';'));
  const either = fc.oneof(text, fc.integer(), fc.boolean());
  const resources = fc.record(
    {
      name: text,
      size: fc.integer(),
      rate: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      open: fc.boolean(),
      tags: fc.array(text),
      either: fc.option(either),
      anything: either,
      place: fc.oneof(
        fc.record({ lat: fc.double({ noNaN: true, noDefaultInfinity: true }), note: text }, { requiredKeys: ['note'] }),
        fc.record({ more: text }),
        fc.constant(null),
      ),
    },
    { requiredKeys: [] },
  );
  const columns = columnsOf(schema, 'externalId');
  const header = columns.map(({ name }) => csvCell(name)).join(',');
  const { format, faults } = csvFormatOf(Buffer.from(header), {}, { ...TARGET, schema });
  expect(faults).toEqual([]);
  fc.assert(
    fc.property(resources, (resource) => {
      const data = { externalId: 'x', ...resource } as JsonObject;
      const line = `${valuesIn(data, columns).map(csvCell).join(',')}\n`;
      const read = resourceText(cellsOf(line, true)[0] ?? [], format.columns);
      expect('text' in read && JSON.parse(read.text)).toEqual(data);
    }),
    { numRuns: 500 },
  );
});
