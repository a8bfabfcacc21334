import { describe, expect, it } from 'vitest';
import { checkDefinition } from '../../../domain/schema/definition.ts';
import type { JsonObject, JsonValue } from '../../../domain/write/resource.ts';
import { cpuMs } from '../../../testkit/measure.ts';

const faultsOf = (schema: JsonValue, more: JsonObject = {}) => {
  const checked = checkDefinition({ name: 'thing', schema, ...more });
  return 'faults' in checked ? checked.faults : [];
};
const pointersOf = (schema: JsonValue, more?: JsonObject) => faultsOf(schema, more).map((fault) => fault.pointer);
const object = (more: JsonObject = {}): JsonObject => ({ type: 'object', ...more });

describe('checkDefinition', () => {
  it('fills in the external id field and ignores the fields that a GET adds', () => {
    expect(checkDefinition({ name: 'City', schema: object(), id: 'x', versionNumber: 7 })).toEqual({
      input: { name: 'City', externalIdField: 'externalId', schema: object() },
    });
  });

  it('names each wrong part of the request by its pointer', () => {
    expect(pointersOf(object(), { name: 'no spaces', pluralName: '', description: 5, externalIdField: '' })).toEqual([
      '/name',
      '/pluralName',
      '/description',
      '/externalIdField',
    ]);
    expect(checkDefinition([])).toEqual({ faults: [{ pointer: '', message: 'must be an object' }] });
    expect(checkDefinition({})).toMatchObject({ faults: [{ pointer: '/name' }, { pointer: '/schema' }] });
  });

  it.each<[string, JsonObject, string]>([
    ['an unknown type', { properties: { 'a/b': { type: 'strng' } } }, '/schema/properties/a~1b/type'],
    ['a keyword of the wrong type', { properties: { a: { minLength: 'x' } } }, '/schema/properties/a/minLength'],
    ['properties that are a list', { properties: [] }, '/schema/properties'],
    ['a required that is no list', { required: 'a' }, '/schema/required'],
    ['lookahead', { properties: { a: { pattern: '^(?=a)' } } }, '/schema/properties/a/pattern'],
    ['a back-reference', { patternProperties: { '(a)\\1': {} } }, '/schema/patternProperties/(a)\\1'],
    ['a huge repetition', { properties: { a: { pattern: '(a{1000}){1000}' } } }, '/schema/properties/a/pattern'],
    ['another draft', { $schema: 'http://json-schema.org/draft-04/schema#' }, '/schema/$schema'],
    [
      'a numeric external id',
      { properties: { externalId: { type: 'integer' } } },
      '/schema/properties/externalId/type',
    ],
    ['an address inside', { properties: { a: { $id: 'http://x/y' } } }, '/schema/properties/a/$id'],
    ['$async', { $async: true }, '/schema/$async'],
    ['$async where a $ref leads', { definitions: { a: { $async: true } } }, '/schema/definitions/a/$async'],
    ['$async that is false', { properties: { a: { items: { $async: false } } } }, '/schema/properties/a/items/$async'],
    ['nullable', { properties: { a: { type: 'string', nullable: true } } }, '/schema/properties/a/nullable'],
    ['id of draft-04', { properties: { a: { id: 'x' } } }, '/schema/properties/a/id'],
    ['a remote $ref', { properties: { a: { $ref: 'http://x/y' } } }, '/schema/properties/a/$ref'],
    ['a $ref to itself', { properties: { a: { $ref: '#/properties/a' } } }, '/schema/properties/a/$ref'],
    [
      '10,000 properties',
      { properties: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`p${i}`, {}])) },
      '/schema',
    ],
  ])('refuses %s with its pointer', (_, schema, pointer) => {
    expect(pointersOf(object(schema))).toEqual([pointer]);
  });

  it('refuses a schema that is not of type object', () => {
    expect(pointersOf({})).toEqual(['/schema/type']);
    expect(pointersOf({ type: 'array' })).toEqual(['/schema/type']);
    expect(pointersOf('object')).toEqual(['/schema']);
  });

  it('knows the keywords of the draft that the schema names', () => {
    const dependent = { dependentRequired: { a: 'b' } };
    const $schema = 'https://json-schema.org/draft/2020-12/schema';
    expect(pointersOf(object(dependent))).toEqual([]);
    expect(pointersOf(object({ $schema, ...dependent }))).toEqual(['/schema/dependentRequired/a']);
  });

  it('ignores unknown keywords and formats', () => {
    expect(faultsOf(object({ 'x-owner': { any: 1 }, properties: { a: { format: 'iban', unknown: true } } }))).toEqual(
      [],
    );
  });

  it('accepts names of 1,024 characters, and 16,384 along a path, and no longer ones', () => {
    const named = (name: string) => object({ properties: { [name]: {} } });
    expect(faultsOf(named('n'.repeat(1_024)))).toEqual([]);
    const longName = {
      pointer: '/schema',
      message: expect.stringMatching(/names longer than 1024 characters: "n{40}…"/),
    };
    expect(faultsOf(named('n'.repeat(1_025)))).toEqual([longName]);
    // the limit is also for names of keywords, in definitions, and in values
    for (const schema of [{ ['n'.repeat(1_025)]: 1 }, { definitions: { ['n'.repeat(1_025)]: {} } }])
      expect(faultsOf(object(schema))).toEqual([longName]);
    expect(faultsOf(object({ properties: { a: { enum: [{ ['n'.repeat(1_025)]: 1 }] } } }))).toEqual([longName]);
    const along = (names: readonly string[]): JsonObject =>
      names.reduceRight<JsonObject>((inner, name) => ({ properties: { [name]: inner } }), {});
    // each step is `properties` and a name, each with the slash before it
    const step = '/properties/'.length + 1_024;
    const names = Array.from({ length: Math.floor(16_384 / step) }, () => 'n'.repeat(1_024));
    const rest = 16_384 - names.length * step - '/properties/'.length;
    expect(faultsOf(object(along([...names, 'n'.repeat(rest)])))).toEqual([]);
    expect(faultsOf(object(along([...names, 'n'.repeat(rest + 1)])))).toEqual([
      { pointer: '/schema', message: 'must not nest names of more than 16384 characters together' },
    ]);
  });

  it('counts keywords, unknown ones included', () => {
    const keywords = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i}`, {}]));
    expect(faultsOf({ ...object(), ...keywords(19_999) })).toEqual([]);
    const tooMany = [{ pointer: '/schema', message: 'must not have more than 20000 keywords' }];
    expect(faultsOf({ ...object(), ...keywords(20_000) })).toEqual(tooMany);
    const apart = { properties: { a: keywords(10_000), b: { items: keywords(10_000) } } };
    expect(faultsOf(object(apart))).toEqual(tooMany);
  });

  it('finds loops and multiplications through $ref', () => {
    const loop = { a: { allOf: [{ $ref: '#/definitions/b' }] }, b: { $ref: '#/definitions/a' } };
    expect(faultsOf(object({ definitions: loop }))[0]?.message).toMatch(/leads back to itself/);
    const bomb: JsonObject = { d30: {} };
    for (let i = 0; i < 30; i++)
      bomb[`d${i}`] = { anyOf: [{ $ref: `#/definitions/d${i + 1}` }, { $ref: `#/definitions/d${i + 1}` }] };
    expect(faultsOf(object({ definitions: bomb }))[0]?.message).toMatch(/more than 5000 subschemas to one value/);
  });

  it('answers hostile schemas within two seconds', () => {
    const hostile: JsonValue[] = [
      JSON.parse(`{"type":"object","properties":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`),
      object({ properties: { a: { enum: Array.from({ length: 20_000 }, (_, i) => ({ i })) } } }),
      object({ properties: { a: { enum: Array.from({ length: 100_000 }, (_, i) => i) } } }),
      object({
        properties: Object.fromEntries(
          Array.from({ length: 1_000 }, (_, i) => [`p${i}`, { pattern: `^a{1,900}${i}` }]),
        ),
      }),
      object({
        properties: Object.fromEntries(
          Array.from({ length: 1_000 }, (_, i) => [`p${i}`, { type: 'string', enum: [i] }]),
        ),
      }),
      object({ allOf: Array.from({ length: 1_200 }, () => ({ anyOf: [{}] })) }),
      object({ required: Array.from({ length: 50_000 }, (_, i) => `f${i}`) }),
      object(Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`x${i}`, i]))),
      object({
        definitions: Object.fromEntries(
          Array.from({ length: 1_200 }, (_, i) => [`d${i}`, { items: { $ref: `#/definitions/d${(i + 1) % 1_200}` } }]),
        ),
        properties: { a: { $ref: '#/definitions/d0' } },
      }),
    ];
    for (const schema of hostile) {
      expect(cpuMs(() => faultsOf(schema))).toBeLessThan(2_000);
    }
  });
});
