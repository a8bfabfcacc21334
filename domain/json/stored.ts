import type { JsonObject, JsonValue } from '../write/resource.ts';
import { hasOrderOfItsOwn, namesOf } from './name-order.ts';

/**
 * JSON values as MongoDB holds them. A name that BSON cannot hold, or that MongoDB and its drivers take for an operator or a reference,
 * is escaped as in a string of JavaScript: NUL as `\0`, `$` at the beginning as `\$`, and the backslash itself as `\\`. Every
 * other name is stored as it is, with dots too (docs/operations.md tells readers).
 */

const SPECIAL = /^\$|[\\\0]/;
const EACH_SPECIAL = /^\$|[\\\0]/g;
const ESCAPE = /\\([\\$0])/g;

export const storedName = (name: string): string =>
  SPECIAL.test(name) ? name.replace(EACH_SPECIAL, (special) => `\\${special === '\0' ? '0' : special}`) : name;

/** The name that is stored as this one. */
export const nameStoredAs = (stored: string): string =>
  stored.includes('\\') ? stored.replace(ESCAPE, (_, special: string) => (special === '0' ? '\0' : special)) : stored;

/** Whether the stored name of a field can be a step of a path, as in `{$set: {"data.name": 1}}`. */
export const canBeInPath = (name: string): boolean => name !== '' && !name.includes('.');

/** A value that the driver stores as it is: maps have their names in order. */
export type Storable = null | boolean | number | string | readonly Storable[] | StorableObject;
type StorableObject = JsonObject | ReadonlyMap<string, Storable>;

/** The value itself, unless a name in it has to be escaped, or keeps an order of its own. Recursive: for values of bounded depth. */
export const toStorable = (value: JsonValue): Storable => (isStorable(value) ? value : converted(value));

/** The driver takes an object with this name for a value of its own types. */
const DRIVER_TYPE = '_bsontype';

function isStorable(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isStorable);
  if (hasOrderOfItsOwn(value)) return false;
  for (const name in value) {
    if (name === DRIVER_TYPE || SPECIAL.test(name) || !isStorable(value[name] as JsonValue)) return false;
  }
  return true;
}

function converted(value: JsonValue): Storable {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(converted);
  return new Map(namesOf(value).map((name) => [storedName(name), converted(value[name] as JsonValue)]));
}

/** Type, end of the name, length, end. */
const AROUND = { member: 2, text: 5, group: 5 } as const;
const INT32 = 4;
const DOUBLE = 8;

/** Bytes of a value as BSON, without its name. Recursive: for values of bounded depth. */
export function storedBytes(value: JsonValue): number {
  switch (typeof value) {
    case 'string':
      return AROUND.text + Buffer.byteLength(value);
    case 'number':
      return (value | 0) === value && !Object.is(value, -0) ? INT32 : DOUBLE;
    case 'boolean':
      return 1;
  }
  if (value === null) return 0;
  let sum: number = AROUND.group;
  if (Array.isArray(value)) {
    for (const [place, item] of value.entries()) sum += AROUND.member + digitsOf(place) + storedBytes(item);
    return sum;
  }
  for (const name in value) sum += memberBytes(name, value[name] as JsonValue);
  return sum;
}

/** Bytes of a field with its name. */
export const memberBytes = (name: string, value: JsonValue): number =>
  AROUND.member + Buffer.byteLength(storedName(name)) + storedBytes(value);

function digitsOf(place: number): number {
  let digits = 1;
  for (let rest = place; rest >= 10; rest = Math.floor(rest / 10)) digits += 1;
  return digits;
}
