import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../domain/resource.ts';
import { readSchemaDocument } from '../../domain/schema-document.ts';
import {
  checkReferences,
  EACH_ITEM,
  referencedNames,
  referenceFieldsOf,
  referencesIn,
} from '../../domain/schema-references.ts';

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

  it('in a definition that nothing uses do no harm', () => {
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
});

describe('referencesIn', () => {
  const fields = referenceFieldsOf({
    properties: {
      home: country,
      borders: { items: country },
      trip: { properties: { 'a~b': { items: { properties: { at: country } } } } },
    },
  });

  it('names a top-level field by its name and what is below it by its pointer', () => {
    const body = { home: 'DE', borders: ['FR', 'PL'], trip: { 'a~b': [{}, { at: 'IT' }] } };
    expect(referencesIn(fields, body)).toEqual([
      { field: 'home', target: 'Country', externalId: 'DE' },
      { field: '/borders/0', target: 'Country', externalId: 'FR' },
      { field: '/borders/1', target: 'Country', externalId: 'PL' },
      { field: '/trip/a~0b/1/at', target: 'Country', externalId: 'IT' },
    ]);
  });

  it('passes over what is no external id', () => {
    expect(
      referencesIn(fields, { home: 5, borders: ['', null, 'x'.repeat(257), '🙂'.repeat(256)], trip: [] }),
    ).toHaveLength(1);
    const inherited = referenceFieldsOf({
      properties: { toString: country, constructor: { properties: { name: country } } },
    });
    expect(referencesIn(inherited, {})).toEqual([]);
  });
});
