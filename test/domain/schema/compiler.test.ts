import { describe, expect, it } from 'vitest';
import { compileSchema } from '../../../domain/schema/compiler.ts';
import { FORMATS } from '../../../domain/schema/formats.ts';
import type { JsonObject, JsonValue } from '../../../domain/write/resource.ts';
import { cpuMs } from '../../../testkit/measure.ts';

const compile = (schema: JsonObject, externalIdField = 'externalId') =>
  compileSchema({ type: 'object', ...schema }, externalIdField);
const json = (text: string): JsonObject => JSON.parse(text);

describe('a compiled schema', () => {
  const city = compile({
    required: ['name'],
    properties: {
      name: { type: 'string' },
      population: { type: ['integer', 'null'], minimum: 0 },
      country: { $ref: 'reach:schemas/country' },
      address: { type: 'object', required: ['zip'], properties: { zip: { type: 'string', pattern: '^\\d{5}$' } } },
    },
  });

  it('accepts a valid resource', () => {
    expect(
      city.faults({ externalId: 'a', name: 'A', population: 5, country: 'DE', address: { zip: '10115' } }),
    ).toEqual([]);
  });

  it('names the field and the pointer of each fault, and repeats no value', () => {
    const faults = city.faults({
      externalId: 'a',
      name: 5,
      population: 'secret',
      country: '',
      address: { zip: 'secret' },
    });
    expect(faults.map((fault) => [fault.code, fault.field])).toEqual([
      ['validation', 'name'],
      ['validation', 'population'],
      ['validation', 'country'],
      ['validation', '/address/zip'],
    ]);
    expect(faults[1]?.message).toBe('"population" must be integer or null');
    expect(JSON.stringify(faults)).not.toContain('secret');
  });

  it('reports a missing required field as required_field, at any depth', () => {
    expect(city.faults({ externalId: 'a', address: {} })).toMatchObject([
      { code: 'required_field', field: 'name' },
      { code: 'required_field', field: '/address/zip' },
    ]);
    expect(city.isRequired('name')).toBe(true);
    expect(city.isRequired('population')).toBe(false);
  });

  it('implies the external id field, also if no other field is allowed', () => {
    const strict = compile({ additionalProperties: false, properties: { a: {} } }, 'key');
    expect(strict.unknownFields({ key: 'x', a: 1, b: 2 })).toEqual(['b']);
    expect(strict.faults({ key: 'x', a: 1 })).toEqual([]);
    expect(strict.faults({ a: 1 })).toMatchObject([{ code: 'required_field', field: 'key' }]);
    expect(strict.faults({ key: 5 })).toMatchObject([{ code: 'validation', field: 'key' }]);
  });

  it('does not accept half a character in a reference, as it could become another id when stored', () => {
    expect(city.faults({ externalId: 'a', name: 'A', country: 'x\ud800' })).toMatchObject([{ field: 'country' }]);
    expect(city.faults({ externalId: 'a', name: 'A', country: '🙂'.repeat(256) })).toEqual([]);
    expect(city.faults({ externalId: 'a', name: 'A', country: '🙂'.repeat(257) })).toMatchObject([
      { field: 'country' },
    ]);
  });

  it('returns a result, not a promise, also for a schema with $async that was stored when $async was accepted', () => {
    const asynchronous = compile({ $async: true, properties: { a: { type: 'number' } } });
    expect(asynchronous.faults({ externalId: 'a', a: 'x' })).toMatchObject([{ field: 'a' }]);
    expect(asynchronous.faults({ externalId: 'a', a: 1 })).toEqual([]);
  });

  it('does not count a pattern as naming a field', () => {
    expect(compile({ patternProperties: { '^x-': {} } }).unknownFields({ externalId: 'a', 'x-a': 1 })).toEqual(['x-a']);
  });

  it('treats __proto__, constructor, toString and valueOf as ordinary fields', () => {
    const odd = compile(
      json(
        '{"additionalProperties":false,"required":["constructor","__proto__"],"properties":{"__proto__":{"type":"number"},"constructor":{"type":"string"},"valueOf":{"const":{"valueOf":1}}}}',
      ),
    );
    expect(odd.faults({ externalId: 'a' }).map((fault) => fault.field)).toEqual(['constructor', '__proto__']);
    const good = json('{"externalId":"a","__proto__":1,"constructor":"c","valueOf":{"valueOf":1}}');
    expect(odd.unknownFields(good)).toEqual([]);
    expect(odd.faults(good)).toEqual([]);
    expect(odd.faults(json('{"externalId":"a","__proto__":"x","constructor":"c"}'))).toMatchObject([
      { field: '__proto__' },
    ]);
    expect(odd.unknownFields(json('{"toString":1}'))).toEqual(['toString']);
  });

  it('follows the draft that the schema names', () => {
    const prefixed = { properties: { a: { prefixItems: [{ type: 'string' }] } } };
    expect(compile(prefixed).faults({ externalId: 'a', a: [1] })).toEqual([]);
    const modern = compile({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...prefixed });
    expect(modern.faults({ externalId: 'a', a: [1] })).toMatchObject([{ field: '/a/0' }]);
  });

  it('applies keywords beside a reference in 2020-12, and ignores them in draft-07', () => {
    const properties = { c: { $ref: 'reach:schemas/c', pattern: '^[A-Z]+$' } };
    expect(compile({ properties }).faults({ externalId: 'a', c: 'x' })).toEqual([]);
    const modern = compile({ $schema: 'https://json-schema.org/draft/2020-12/schema', properties });
    expect(modern.faults({ externalId: 'a', c: 'x' })).toMatchObject([{ field: 'c' }]);
  });

  it('compares whole values in enum, const and uniqueItems, without regard to the order of fields', () => {
    const values = compile({ properties: { e: { enum: [{ a: 1, b: 2 }, 3] }, u: { uniqueItems: true } } });
    expect(values.faults({ externalId: 'a', e: { b: 2, a: 1 }, u: [1, '1', { a: 1 }] })).toEqual([]);
    expect(
      values.faults({
        externalId: 'a',
        e: '3',
        u: [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
      }),
    ).toHaveLength(2);
  });

  it('accepts 19.99 as a multiple of 0.01', () => {
    expect(compile({ properties: { p: { multipleOf: 0.01 } } }).faults({ externalId: 'a', p: 19.99 })).toEqual([]);
  });
});

describe('validation under hostile data', () => {
  it('reports faults below a name of a megabyte without repeating it for each of them', () => {
    const long = 'n'.repeat(1_000_000);
    const inner = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`k${n}`, 'x']));
    const schema = compile({
      type: 'object',
      additionalProperties: { type: 'object', additionalProperties: { type: 'number' } },
      properties: { externalId: { type: 'string' } },
    });
    let faults: ReturnType<typeof schema.faults> = [];
    const ms = cpuMs(() => {
      faults = schema.faults({ externalId: 'x', [long]: inner });
    });
    expect(faults.length).toBeGreaterThan(0);
    expect(JSON.stringify(faults).length).toBeLessThan(30_000);
    expect(ms).toBeLessThan(500);
  });

  const within = (limit: number, run: () => void) => {
    expect(cpuMs(run)).toBeLessThan(limit);
  };
  const nested = (depth: number): JsonValue => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

  it('accepts 90 levels, the resource itself included, and refuses more with the field', () => {
    const recursive = compile({
      definitions: { n: { type: 'array', items: { $ref: '#/definitions/n' } } },
      properties: { n: { $ref: '#/definitions/n' } },
    });
    expect(recursive.faults({ externalId: 'a', n: nested(89) })).toEqual([]);
    for (const depth of [90, 100_000])
      expect(recursive.faults({ externalId: 'a', n: nested(depth) })).toEqual([
        { code: 'validation', message: '"n" makes the resource nested deeper than 90 levels', field: 'n' },
      ]);
  });

  it('stops validating under a schema that branches at every level', () => {
    const branch = { type: 'array', items: { $ref: '#/definitions/n' } };
    const tree = compile({
      definitions: { n: { anyOf: [branch, { ...branch, minItems: 2 }] } },
      properties: { n: { $ref: '#/definitions/n' } },
    });
    let n: JsonValue = 1;
    for (let i = 0; i < 60; i++) n = [n];
    within(1_000, () =>
      expect(new Set(tree.faults({ externalId: 'a', n }).map(({ code }) => code))).toEqual(new Set(['validation'])),
    );
  });

  it('reports at most 20 faults of a resource, and one of a very large one', () => {
    const list = compile({ properties: { n: { items: { type: 'string' } } } });
    expect(list.faults({ externalId: 'a', n: Array.from({ length: 1_000 }, () => 1) })).toHaveLength(20);
    within(2_000, () =>
      expect(list.faults({ externalId: 'a', n: Array.from({ length: 1_000_000 }, () => 1) })).toHaveLength(1),
    );
  });

  it('matches catastrophic patterns and unique items in linear time', () => {
    const slow = compile({ properties: { p: { pattern: '^(a+)+$' }, u: { uniqueItems: true } } });
    within(2_000, () => {
      expect(slow.faults({ externalId: 'a', p: `${'a'.repeat(100_000)}!` })).toHaveLength(1);
      expect(slow.faults({ externalId: 'a', u: Array.from({ length: 200_000 }, (_, i) => ({ i })) })).toEqual([]);
    });
  });

  it.each(Object.keys(FORMATS))('checks the format %s of long strings in linear time', (format) => {
    const checked = compile({ properties: { f: { format } } });
    for (const part of ['a', 'a.', 'a-', '1:', '%41', '{a}', '::', 'a@', ':@', '/a', 'P1D', 'T1', '0', ' ', '\u00e9']) {
      for (const start of ['', 'http://', 'a@', 'P', '{', 'urn:uuid:']) {
        within(500, () => checked.faults({ externalId: 'a', f: `${start}${part.repeat(30_000)}\n` }));
      }
    }
  });

  it('validates a batch of 1000 resources in a fraction of a second', () => {
    const rich = compile({
      required: ['name'],
      properties: {
        name: { type: 'string', pattern: '^[A-Z]' },
        at: { type: 'string', format: 'date-time' },
        tags: { type: 'array', items: { enum: ['a', 'b'] }, uniqueItems: true },
      },
    });
    within(500, () => {
      for (let i = 0; i < 1_000; i++)
        rich.faults({ externalId: `${i}`, name: 'Name', at: '2024-01-01T00:00:00Z', tags: ['a', 'b'] });
    });
  });
});
