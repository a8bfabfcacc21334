import { describe, expect, it } from 'vitest';
import { MAX_REFERENCES } from '../../../domain/limits.ts';
import { readSchemaDocument } from '../../../domain/schema/document.ts';
import { checkReferences, EACH_ITEM, referencedNames, referenceFieldsOf } from '../../../domain/schema/references.ts';
import { fieldOf, referencesIn } from '../../../domain/write/references-in.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { cpuMs } from '../../../testkit/measure.ts';

const country = { $ref: 'reach:schemas/Country' };
const faultsOf = (schema: JsonObject) => checkReferences(readSchemaDocument(schema)).faults;

describe('reference fields', () => {
  it('are found at any depth of properties and items', () => {
    const schema = {
      properties: {
        home: country,
        borders: { type: 'array', items: { $ref: 'drover:schemas/country' } },
        'a/b': {
          type: 'object',
          properties: { stops: { items: { properties: { at: { $ref: 'reach:schemas/Stop' } } } } },
        },
      },
    };
    expect(referenceFieldsOf(schema)).toEqual([
      { path: ['home'], target: 'Country' },
      { path: ['borders', EACH_ITEM], target: 'country' },
      { path: ['a/b', 'stops', EACH_ITEM, 'at'], target: 'Stop' },
    ]);
    expect(referencedNames(schema)).toEqual(['country', 'Stop']);
  });

  it('are found through local $refs, to definitions, pointers and anchors', () => {
    const schema = {
      definitions: {
        place: { properties: { in: { $ref: '#/$defs/land~1region' } } },
        named: { $anchor: 'here', ...country },
      },
      $defs: { 'land/region': country },
      properties: { from: { $ref: '#/definitions/place' }, via: { $ref: '#here' }, to: { $ref: '#/properties/from' } },
    };
    expect(referenceFieldsOf(schema).map((field) => field.path)).toEqual([['from', 'in'], ['via'], ['to', 'in']]);
  });

  it.each([
    ['oneOf', { oneOf: [country] }, '/properties/x/oneOf/0/$ref'],
    ['if', { if: { properties: { y: country } } }, '/properties/x/if/properties/y/$ref'],
    ['additionalProperties', { additionalProperties: country }, '/properties/x/additionalProperties/$ref'],
    ['patternProperties', { patternProperties: { '^a/b': country } }, '/properties/x/patternProperties/^a~1b/$ref'],
    ['a list of items', { items: [country] }, '/properties/x/items/0/$ref'],
    ['contains', { contains: country }, '/properties/x/contains/$ref'],
    ['dependencies', { dependencies: { a: country } }, '/properties/x/dependencies/a/$ref'],
    ['a local $ref below a combinator', { allOf: [{ $ref: '#/definitions/c' }] }, '/definitions/c/$ref'],
  ])('under %s are refused with their pointer', (_, x, pointer) => {
    expect(faultsOf({ properties: { x }, definitions: { c: country } }).map((fault) => fault.pointer)).toEqual([
      pointer,
    ]);
  });

  it('in an unused definition do no harm', () => {
    expect(faultsOf({ definitions: { c: { oneOf: [country] } } })).toEqual([]);
  });

  it('in a schema that contains itself are refused, without hanging', () => {
    expect(faultsOf({ properties: { child: { $ref: '#' }, country } })).toMatchObject([
      { pointer: '/properties/child/$ref' },
    ]);
    const mutual = { a: { properties: { b: { $ref: '#/definitions/b' } } }, b: { items: { $ref: '#/definitions/a' } } };
    expect(faultsOf({ definitions: mutual, properties: { x: { $ref: '#/definitions/a' } } })).toEqual([]);
  });

  it.each([
    'http://example.com/x',
    'other.json#/a',
    '#/definitions/none',
    '#none',
    '#/%',
    'reach:schemas/',
    'reach:schemas/a/b',
    'drover:other/x',
  ])('%s points nowhere: a fault at the $ref', ($ref) => {
    expect(faultsOf({ properties: { x: { $ref } } })).toMatchObject([{ pointer: '/properties/x/$ref' }]);
  });

  it('cannot be multiplied without bound', () => {
    const definitions: JsonObject = { d20: country };
    for (let i = 0; i < 20; i++) {
      const next = { $ref: `#/definitions/d${i + 1}` };
      definitions[`d${i}`] = { properties: { a: next, b: next } };
    }
    expect(faultsOf({ definitions, properties: { x: { $ref: '#/definitions/d0' } } })[0]?.message).toMatch(
      /at most 1000/,
    );
    definitions.d20 = { not: country };
    expect(faultsOf({ definitions, properties: { x: { $ref: '#/definitions/d0' } } })).toHaveLength(1);
  });

  // there are two ways from each definition to the next one, beside a $ref and through it: 2^n ways to the same fields
  const manyWays = (depth: number): JsonObject => {
    const definitions: JsonObject = { [`d${depth}`]: { properties: { a: country } } };
    for (let i = 0; i < depth; i++) {
      const next = { properties: { a: { $ref: `#/definitions/d${i + 1}` } } };
      definitions[`d${i}`] = { ...next, $ref: `#/definitions/e${i}` };
      definitions[`e${i}`] = next;
    }
    return { properties: { p: { $ref: '#/definitions/d0' } }, definitions };
  };

  it('that can be reached in 2^n ways are searched once', () => {
    // 2^22 visits would take seconds, and 2^100 would never end: an unbounded search fails at the first
    expect(cpuMs(() => referenceFieldsOf(manyWays(22)))).toBeLessThan(500);
    expect(referenceFieldsOf(manyWays(100))).toEqual([{ path: ['p', ...Array(101).fill('a')], target: 'Country' }]);
  });

  it('that take too many steps to find are not searched further', () => {
    const definitions: JsonObject = { d12: { properties: { a: country } } };
    // 2^12 fields that share the last definition, and no reference before it
    for (let i = 0; i < 12; i++) {
      const next = { $ref: `#/definitions/d${i + 1}` };
      definitions[`d${i}`] = { properties: Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`f${n}`, next])) };
    }
    definitions.d12 = { properties: { a: { not: country } } };
    expect(faultsOf({ definitions, properties: { x: { $ref: '#/definitions/d0' } } }).map((f) => f.message)).toEqual([
      expect.stringMatching(/is only allowed under/),
    ]);
  });

  it('of a schema whose references can be reached in too many ways are refused with a message', () => {
    // 900 fields that each lead to a reference through the same 60 definitions
    const chain: JsonObject = { d60: country };
    for (let i = 0; i < 60; i++) chain[`d${i}`] = { properties: { a: { $ref: `#/definitions/d${i + 1}` } } };
    const fields = (count: number): JsonObject =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, { $ref: '#/definitions/d0' }]));
    expect(faultsOf({ definitions: chain, properties: fields(300) })).toEqual([]);
    expect(faultsOf({ definitions: chain, properties: fields(900) }).map(({ message }) => message)).toEqual([
      'its references can be reached in too many ways',
    ]);
    // a schema that an earlier version has accepted is read all the same
    expect(referenceFieldsOf({ definitions: chain, properties: fields(900) })).toHaveLength(900);
  });
});

describe('referencesIn', () => {
  const fields = referenceFieldsOf({
    properties: {
      home: country,
      borders: { items: country },
      trip: { properties: { 'a~b': { items: { properties: { at: country } } } } },
    },
  });

  it('names a top-level field by its name and fields below it by their pointers', () => {
    const body = { home: 'DE', borders: ['FR', 'PL'], trip: { 'a~b': [{}, { at: 'IT' }] } };
    const found = referencesIn(fields, body).map(({ target, externalId, ...found }) => ({
      field: fieldOf(found),
      target,
      externalId,
    }));
    expect(found).toEqual([
      { field: 'home', target: 'Country', externalId: 'DE' },
      { field: '/borders/0', target: 'Country', externalId: 'FR' },
      { field: '/borders/1', target: 'Country', externalId: 'PL' },
      { field: '/trip/a~0b/1/at', target: 'Country', externalId: 'IT' },
    ]);
  });

  it('ignores values that are no external ids', () => {
    expect(
      referencesIn(fields, { home: 5, borders: ['', null, 'x'.repeat(257), '🙂'.repeat(256)], trip: [] }),
    ).toHaveLength(1);
    const inherited = referenceFieldsOf({
      properties: { toString: country, constructor: { properties: { name: country } } },
    });
    expect(referencesIn(inherited, {})).toEqual([]);
  });

  it('finds one more than a resource may have, and does not expand the fields', () => {
    const name = 'N'.repeat(900_000);
    const long = referenceFieldsOf({ properties: { [name]: { items: country } } });
    // expanded, the fields would have 18 GB
    const found = referencesIn(long, { [name]: Array.from({ length: 20_000 }, (_, n) => `i${n}`) });
    expect(found).toHaveLength(MAX_REFERENCES + 1);
    expect(found.slice(0, 2).map((reference) => fieldOf(reference).length)).toEqual([900_003, 900_003]);
    expect(JSON.stringify(found[0]?.target)).toBe('"Country"');
  });

  it('walks the common parts of many fields once', () => {
    const names = Array.from({ length: 1_000 }, (_, n) => `f${n}`);
    const many = referenceFieldsOf({
      properties: { rows: { items: { properties: Object.fromEntries(names.map((each) => [each, country])) } } },
    });
    let reads = 0;
    const row = new Proxy({ f7: 'DE', f5: 'FR' } as JsonObject, {
      getOwnPropertyDescriptor(target, key) {
        reads += 1;
        return Reflect.getOwnPropertyDescriptor(target, key);
      },
    });
    const found = referencesIn(many, { rows: Array.from({ length: 100 }, () => row) });
    expect(found.map(fieldOf).filter((each) => each.startsWith('/rows/7'))).toHaveLength(22);
    expect(reads).toBeLessThan(1_000);
  });

  it('keeps the order of the fields, whatever parts they share', () => {
    const two = referenceFieldsOf({ properties: { rows: { items: { properties: { b: country, a: country } } } } });
    const body = {
      rows: [
        { a: 'A0', b: 'B0' },
        { a: 'A1', b: 'B1' },
      ],
    };
    expect(referencesIn(two, body).map(({ externalId }) => externalId)).toEqual(['B0', 'B1', 'A0', 'A1']);
  });
});
