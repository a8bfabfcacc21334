import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSchema } from '../../../domain/schema/compiler.ts';
import { contradictionsIn } from '../../../domain/schema/contradictions.ts';
import { checkSchema } from '../../../domain/schema/definition.ts';
import type { JsonObject, JsonValue } from '../../../domain/write/resource.ts';

const pointersOf = (schema: JsonObject) =>
  contradictionsIn({ type: 'object', ...schema }, 'externalId').map(({ pointer }) => pointer);
const field = (a: JsonObject) => ({ properties: { a }, required: ['a'] });

describe('contradictions in a schema', () => {
  it.each<[string, JsonObject, string]>([
    ['types that exclude each other', { allOf: [{ type: 'array' }] }, ''],
    ['types of a required field', field({ allOf: [{ type: 'string' }, { type: 'integer' }] }), '/properties/a'],
    ['bounds', field({ type: 'number', minimum: 5, allOf: [{ exclusiveMaximum: 5 }] }), '/properties/a'],
    ['lengths', field({ type: 'string', minLength: 5, maxLength: 4 }), '/properties/a'],
    ['values', field({ enum: [1, 2], allOf: [{ const: 3 }] }), '/properties/a'],
    ['a value of another type', field({ type: 'string', enum: [1, 2] }), '/properties/a'],
    ['a value out of bounds', field({ const: 7, maximum: 6 }), '/properties/a'],
    ['a required field that is refused', { properties: { a: false }, required: ['a'] }, '/properties/a'],
    ['alternatives', field({ type: 'string', anyOf: [{ type: 'array' }, { type: 'null' }] }), '/properties/a/anyOf'],
    [
      'a part that does not know the external id',
      { allOf: [{ properties: { b: {} }, additionalProperties: false }] },
      '/allOf/0/additionalProperties',
    ],
    [
      'what a $ref leads to',
      {
        definitions: { n: { minimum: 9 } },
        ...field({ type: 'integer', maximum: 3, allOf: [{ $ref: '#/definitions/n' }] }),
      },
      '/properties/a',
    ],
  ])('names %s', (_, schema, pointer) => {
    expect(checkSchema({ type: 'object', ...schema }, 'externalId')).toEqual([]);
    expect(pointersOf(schema)).toEqual([pointer]);
  });

  it.each<[string, JsonObject]>([
    ['an optional field', { properties: { a: false } }],
    ['bounds of a kind that need not be', field({ minimum: 5, maximum: 4 })],
    ['recursion', { properties: { a: { $ref: '#' } } }],
    ['recursion that is required', { required: ['a'], properties: { a: { $ref: '#' } } }],
    ['additionalProperties at the root', { additionalProperties: false }],
  ])('passes over %s', (_, schema) => {
    expect(pointersOf(schema)).toEqual([]);
  });

  it('names no part of a schema that some value fits', { timeout: 180_000 }, () => {
    const value: fc.Arbitrary<JsonValue> = fc.oneof(
      fc.constantFrom<JsonValue[]>(null, true, 0, 1, 1.5, 2, '', 'a', 'ab', [], [1], {}, { b: 1 }),
      fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom<JsonValue[]>(1, 'a', null), { maxKeys: 2 }),
    );
    const type = fc.constantFrom('null', 'boolean', 'integer', 'number', 'string', 'array', 'object');
    const small = fc.integer({ min: 0, max: 3 });
    const { schema } = fc.letrec<{ schema: JsonObject | boolean }>((tie) => ({
      schema: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.boolean(),
        fc.record(
          {
            type: fc.oneof(type, fc.uniqueArray(type, { minLength: 1, maxLength: 3 })),
            const: value,
            enum: fc.uniqueArray(value, { minLength: 1, maxLength: 3, selector: (each) => JSON.stringify(each) }),
            minimum: small,
            maximum: small,
            exclusiveMinimum: small,
            exclusiveMaximum: small,
            minLength: small,
            maxLength: small,
            minItems: small,
            maxItems: small,
            minProperties: small,
            maxProperties: small,
            required: fc.uniqueArray(fc.constantFrom('a', 'b'), { maxLength: 2 }),
            additionalProperties: fc.boolean(),
            properties: fc.dictionary(fc.constantFrom('a', 'b'), tie('schema'), { maxKeys: 2 }),
            allOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }),
            anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }),
            oneOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }),
            not: tie('schema'),
          },
          { requiredKeys: [] },
        ) as fc.Arbitrary<JsonObject>,
      ),
    }));
    fc.assert(
      fc.property(schema, fc.array(value, { minLength: 20, maxLength: 40 }), (a, values) => {
        const whole: JsonObject = { type: 'object', required: ['a'], properties: { a } };
        fc.pre(checkSchema(whole, 'externalId').length === 0);
        if (contradictionsIn(whole, 'externalId').length === 0) return;
        const compiled = compileSchema(whole, 'externalId');
        for (const each of values) expect(compiled.faults({ externalId: 'x', a: each })).not.toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
