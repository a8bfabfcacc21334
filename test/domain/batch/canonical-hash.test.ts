import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalHash } from '../../../domain/batch/canonical-hash.ts';
import { canonicalText } from '../../../domain/json/text.ts';
import type { JsonValue } from '../../../domain/write/resource.ts';

const anyJson = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;

test('two values share a hash exactly if they are the same JSON', () => {
  const same = (a: JsonValue, b: JsonValue) => canonicalHash([], a) === canonicalHash([], b);
  fc.assert(fc.property(anyJson, anyJson, (a, b) => same(a, b) === (canonicalText(a) === canonicalText(b))));
  fc.assert(fc.property(anyJson, (a) => same(a, JSON.parse(canonicalText(a)))));
});

test('hashes for different purposes differ', () => {
  expect(canonicalHash(['a'], {})).not.toBe(canonicalHash(['b'], {}));
  expect(canonicalHash(['a', 'b'], {})).not.toBe(canonicalHash(['ab'], {}));
});

test('the order of members does not count, and names that have a meaning in JavaScript are ordinary names', () => {
  const hash = (text: string) => canonicalHash([], JSON.parse(text));
  expect(hash('{"b":1,"a":{"__proto__":1,"10":2,"9":3}}')).toBe(hash('{"a":{"9":3,"10":2,"__proto__":1},"b":1}'));
  expect(hash('{"__proto__":1}')).not.toBe(hash('{"__proto__":2}'));
});

test('values of any depth are hashed', () => {
  const deep = (inner: string) => JSON.parse(`${'[{"a":'.repeat(100_000)}${inner}${'}]'.repeat(100_000)}`);
  expect(canonicalHash([], deep('1'))).toBe(canonicalHash([], deep('1.0')));
  expect(canonicalHash([], deep('1'))).not.toBe(canonicalHash([], deep('2')));
});
