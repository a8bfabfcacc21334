import type { Ajv } from 'ajv';
import { canonicalText } from './json-text.ts';
import type { JsonValue } from './resource.ts';

/**
 * Replaces Ajv's `enum`, `const` and `uniqueItems`: its own compare each value with each other, which takes quadratic time, and
 * trip over fields called `valueOf`. These look a value up by its text.
 */
export function addEqualityKeywords(ajv: Ajv): void {
  for (const keyword of ['enum', 'const', 'uniqueItems']) ajv.removeKeyword(keyword);
  ajv.addKeyword({
    keyword: 'enum',
    schemaType: 'array',
    compile: isOneOf,
    error: { message: 'must be one of the allowed values' },
  });
  ajv.addKeyword({
    keyword: 'const',
    compile: (value: JsonValue) => isOneOf([value]),
    error: { message: 'must be the one allowed value' },
  });
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    compile: (unique: boolean) => (data: JsonValue[]) => !unique || areUnique(data),
    error: { message: 'must not have two equal items' },
  });
}

const isScalar = (value: JsonValue): boolean => typeof value !== 'object' || value === null;

/** Scalars are found at once. Of other values no more is looked at than the largest allowed one has. */
function isOneOf(allowed: readonly JsonValue[]): (data: JsonValue) => boolean {
  const scalars = new Set(allowed.filter(isScalar));
  const others = allowed.filter((value) => !isScalar(value));
  const texts = new Set(others.map(canonicalText));
  const most = others.reduce<number>((sum, value) => Math.max(sum, countValues(value, Number.POSITIVE_INFINITY)), 0);
  return (data) =>
    isScalar(data)
      ? scalars.has(data)
      : texts.size > 0 && countValues(data, most) <= most && texts.has(canonicalText(data));
}

/** Counts a value and what is in it, up to a little more than `most`. */
function countValues(value: JsonValue, most: number): number {
  let count = 1;
  if (typeof value !== 'object' || value === null) return count;
  for (const inner of Object.values(value)) {
    if (count > most) break;
    count += countValues(inner, most - count);
  }
  return count;
}

function areUnique(items: readonly JsonValue[]): boolean {
  const scalars = items.filter(isScalar);
  if (new Set(scalars).size < scalars.length) return false;
  if (scalars.length === items.length) return true;
  const others = items.filter((item) => !isScalar(item));
  return new Set(others.map(canonicalText)).size === others.length;
}
