import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { canonicalText, exceedsDepth, isJson, mergeFields, sameJson } from '../../../domain/json/text.ts';
import { MAX_BODY_PARTS } from '../../../domain/limits.ts';
import type { JsonObject, JsonValue } from '../../../domain/write/resource.ts';

const json = (text: string): JsonObject => JSON.parse(text);
const anyJson = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;
const field = fc.oneof(
  fc.constantFrom('a', 'b', '__proto__', 'constructor', 'x.y', '$set'),
  fc.string({ maxLength: 3 }),
);
const anyObject = fc.array(fc.tuple(field, anyJson)).map((entries) => Object.fromEntries(entries) as JsonObject);

describe('mergeFields', () => {
  it('keeps absent fields, deletes null ones and replaces the others whole', () => {
    expect(mergeFields({ a: 1, b: 2, c: { x: 1 } }, { b: null, c: { y: 2 }, d: null })).toEqual({ a: 1, c: { y: 2 } });
  });

  it('treats __proto__, constructor, dotted and dollar names as ordinary fields', () => {
    const merged = mergeFields(json('{"a.b":1}'), json('{"__proto__":{"polluted":1},"constructor":2,"$set":3}'));
    expect(JSON.stringify(merged)).toBe('{"a.b":1,"__proto__":{"polluted":1},"constructor":2,"$set":3}');
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect(Object.keys(mergeFields(merged, json('{"__proto__":null}')))).not.toContain('__proto__');
  });

  it('has the last value of each field', () => {
    fc.assert(
      fc.property(anyObject, anyObject, (base, patch) => {
        const merged = new Map(Object.entries(mergeFields(base, patch)));
        for (const [name, value] of Object.entries(patch)) expect(merged.get(name)).toEqual(value ?? undefined);
        for (const [name, value] of Object.entries(base)) {
          if (!Object.hasOwn(patch, name)) expect(merged.get(name)).toEqual(value);
        }
        expect([...merged.keys()].every((name) => Object.hasOwn(base, name) || Object.hasOwn(patch, name))).toBe(true);
      }),
    );
  });
});

describe('sameJson', () => {
  it('ignores the order of fields, but not that of items', () => {
    expect(sameJson({ a: 1, b: [1, { c: null, d: 2 }] }, { b: [1, { d: 2, c: null }], a: 1 })).toBe(true);
    expect(sameJson([1, 2], [2, 1])).toBe(false);
  });

  it('distinguishes an array from an object, null from an absent field, and an inherited name from a field', () => {
    expect(sameJson([], {})).toBe(false);
    expect(sameJson({ a: null }, {})).toBe(false);
    expect(sameJson(json('{"constructor":1}'), json('{"x":1}'))).toBe(false);
    expect(sameJson(json('{"__proto__":{}}'), json('{"x":{}}'))).toBe(false);
  });

  it('agrees with the canonical text', () => {
    fc.assert(fc.property(anyJson, anyJson, (a, b) => sameJson(a, b) === (canonicalText(a) === canonicalText(b))));
    fc.assert(fc.property(anyJson, (a) => sameJson(a, JSON.parse(canonicalText(a)))));
  });

  it('compares values of any depth', () => {
    const deep = (): JsonValue => JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
    expect(sameJson(deep(), deep())).toBe(true);
    expect(exceedsDepth(deep(), 200)).toBe(true);
    expect(exceedsDepth([[[]]], 3)).toBe(false);
    expect(exceedsDepth([[[]]], 2)).toBe(true);
  });
});

describe('isJson', () => {
  it('is asked about a text of any value, and parses none that has too many parts', () => {
    expect(['{}', '1', '"a"', '{', 'a', ''].map(isJson)).toEqual([true, true, true, false, false, false]);
    const parse = vi.spyOn(JSON, 'parse');
    expect(isJson(`[${'{},'.repeat(MAX_BODY_PARTS)}{}]`)).toBe(false);
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });
});
