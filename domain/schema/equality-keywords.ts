import type { Ajv } from 'ajv';
import { canonicalText, measureJson } from '../json/text.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';

/**
 * Replaces Ajv's `enum`, `const` and `uniqueItems`: they compare each value with each other, which takes quadratic time, and
 * they fail for fields called `valueOf`. These look a value up by its text.
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

const isScalar = (value: JsonValue): value is string | number | boolean | null =>
  typeof value !== 'object' || value === null;

/** Scalars are found at once. Of other values, no more is read than the largest and the longest allowed value contain. */
function isOneOf(allowed: readonly JsonValue[]): (data: JsonValue) => boolean {
  const scalars = new Set(allowed.filter(isScalar));
  const others = allowed.filter((value) => !isScalar(value));
  const texts = new Set(others.map(canonicalText));
  const most = comparedExtent(others);
  return (data) =>
    isScalar(data) ? scalars.has(data) : texts.size > 0 && fitsWithin(data, most) && texts.has(canonicalText(data));
}

/** How much of a value is compared with the allowed values that are not scalars. */
interface ComparedExtent {
  /** Values and names of fields. */
  readonly values: number;
  /** Characters of texts and names of fields. */
  readonly characters: number;
}

/** No more of a value is read than the largest and the longest of these contain. */
export function comparedExtent(allowed: readonly JsonValue[]): ComparedExtent {
  let most: ComparedExtent = { values: 0, characters: 0 };
  for (const value of allowed) {
    if (isScalar(value)) continue;
    const { values, names, characters } = measureJson(value, Number.POSITIVE_INFINITY);
    most = {
      values: Math.max(most.values, values + names),
      characters: Math.max(most.characters, characters),
    };
  }
  return most;
}

/** Whether a value contains no more than that; stops at the limit. */
function fitsWithin(root: JsonObject | JsonValue[], most: ComparedExtent): boolean {
  let { values, characters } = most;
  const fits = (value: JsonValue): boolean => {
    values -= 1;
    if (typeof value === 'string') characters -= value.length;
    if (values < 0 || characters < 0) return false;
    if (typeof value !== 'object' || value === null) return true;
    if (Array.isArray(value)) return value.length <= values && value.every(fits);
    for (const name in value) {
      if (!Object.hasOwn(value, name)) continue;
      values -= 1;
      characters -= name.length;
      if (!fits(value[name] as JsonValue)) return false;
    }
    return true;
  };
  return fits(root);
}

function areUnique(items: readonly JsonValue[]): boolean {
  const scalars = items.filter(isScalar);
  if (new Set(scalars).size < scalars.length) return false;
  if (scalars.length === items.length) return true;
  const others = items.filter((item) => !isScalar(item));
  return new Set(others.map(canonicalText)).size === others.length;
}
