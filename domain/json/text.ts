import { MAX_BODY_PARTS } from '../limits.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';
import { hasPlaceNames, keepOrder, namesOf } from './name-order.ts';
import { takeCensus } from './source.ts';
import { storedBytes } from './stored.ts';

/**
 * Merges a patch into an object, field by field: absent fields stay, `null` deletes, any other value replaces the old one whole.
 * Every field is an own data property of the result, whatever its name: `__proto__` is an ordinary field.
 */
export function mergeFields(base: JsonObject, patch: JsonObject): JsonObject {
  // spreading defines properties, where an assignment would run the setter of `__proto__`
  const merged = { ...base, ...patch };
  for (const field of Object.keys(patch)) if (merged[field] === null) delete merged[field];
  if (hasPlaceNames(merged)) keepOrder(merged, namesLeft(merged, [...namesOf(base), ...namesOf(patch)]));
  return merged;
}

/** An object without some of its fields. */
export function withoutFields(object: JsonObject, fields: readonly string[]): JsonObject {
  const dropped = new Set(fields);
  const left = Object.fromEntries(Object.entries(object).filter(([field]) => !dropped.has(field)));
  keepOrder(left, namesLeft(left, namesOf(object)));
  return left;
}

/** Of these names those of an object, each once. */
const namesLeft = (object: JsonObject, names: readonly string[]): string[] =>
  [...new Set(names)].filter((name) => Object.hasOwn(object, name));

/**
 * Whether two values are the same JSON, without regard to the order of fields. Depth costs memory, not stack.
 * @param areSame compares scalars; with `Object.is`, -0 is another number than 0.
 */
export function sameJson(
  a: JsonValue,
  b: JsonValue,
  areSame: (left: JsonValue, right: JsonValue) => boolean = (left, right) => left === right,
): boolean {
  const open: [JsonValue, JsonValue][] = [[a, b]];
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [left, right] = pair;
    if (areSame(left, right)) continue;
    if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
    if (Array.isArray(left) !== Array.isArray(right)) return false;
    const fields = Object.keys(left);
    if (fields.length !== Object.keys(right).length) return false;
    for (const field of fields) {
      if (!Object.hasOwn(right, field)) return false;
      open.push([ownValue(left, field), ownValue(right, field)]);
    }
  }
  return true;
}

/** A field that is known to exist, or the item of an array. */
function ownValue(value: JsonObject | JsonValue[], field: string): JsonValue {
  return (value as JsonObject)[field] as JsonValue;
}

/**
 * The same text for all values for which `sameJson` is true. Recursive: for values of bounded depth.
 * @see exceedsDepth
 */
export function canonicalText(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([field, inner]) => `${JSON.stringify(field)}:${canonicalText(inner)}`).join(',')}}`;
}

/** The size of a value. */
export interface JsonExtent {
  /** Objects and arrays inside each other; a scalar has depth 0. Counted up to one more than the limit. */
  readonly depth: number;
  /** Values, including all nested ones; not counted to the end if the depth is over the limit. */
  readonly values: number;
  /** Names of fields, counted likewise. */
  readonly names: number;
  /** Characters of texts and of names of fields, counted likewise. */
  readonly characters: number;
}

/** Measures a value without recursion, up to `maxDepth`. Every resource is measured, so nothing is allocated for scalars. */
export function measureJson(root: JsonValue, maxDepth: number): JsonExtent {
  let values = 1;
  let names = 0;
  let depth = 0;
  let characters = typeof root === 'string' ? root.length : 0;
  const open: (JsonObject | JsonValue[])[] = typeof root === 'object' && root !== null ? [root] : [];
  const depths = [1];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const inner = depths[open.length] ?? 1;
    depth = Math.max(depth, inner);
    if (inner > maxDepth) break;
    const fields = Array.isArray(next) ? null : Object.keys(next);
    const count = fields?.length ?? (next as JsonValue[]).length;
    values += count;
    for (let at = 0; at < count; at++) {
      const name = fields?.[at];
      const value = name === undefined ? (next as JsonValue[])[at] : (next as JsonObject)[name];
      if (name !== undefined) {
        names += 1;
        characters += name.length;
      }
      if (typeof value === 'string') characters += value.length;
      else if (typeof value === 'object' && value !== null) {
        depths[open.length] = inner + 1;
        open.push(value);
      }
    }
  }
  return { depth, values, names, characters };
}

/** The first field that makes an object nested deeper than `limit`; undefined if none does. */
export function fieldNestedDeeper(value: JsonObject, limit: number): string | undefined {
  return Object.keys(value).find((field) => exceedsDepth(value[field] as JsonValue, limit - 1));
}

/** The field that takes most bytes, which makes an object too large. For values of bounded depth. */
export function largestField(value: JsonObject): string {
  let largest = { field: '', bytes: -1 };
  for (const [field, inner] of Object.entries(value)) {
    const bytes = storedBytes(inner);
    if (bytes > largest.bytes) largest = { field, bytes };
  }
  return largest.field;
}

/**
 * Whether objects and arrays are nested deeper than `limit`: recursive code, `JSON.stringify` too, must not receive such a value.
 */
export function exceedsDepth(value: JsonValue, limit: number): boolean {
  return measureJson(value, limit).depth > limit;
}

/** Whether a text is JSON, of any value, with no more parts than a body may have: one with more is not parsed to find out. */
export function isJson(text: string): boolean {
  if (hasTooManyParts([text])) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether JSON texts have more parts together than a body may have: they would take long to parse. */
export function hasTooManyParts(texts: readonly string[]): boolean {
  // a part has a character at least
  if (texts.reduce((sum, { length }) => sum + length, 0) <= MAX_BODY_PARTS) return false;
  return texts.reduce((sum, text) => sum + takeCensus(Buffer.from(text), MAX_BODY_PARTS).parts, 0) > MAX_BODY_PARTS;
}
