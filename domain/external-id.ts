import type { ItemError } from './outcome.ts';
import { type JsonObject, MAX_EXTERNAL_ID } from './resource.ts';

/**
 * The external id of a body (contract sections 1 and 9): null or "" is missing, another type or more than 256 code points is
 * invalid.
 */
export function externalIdOf(body: JsonObject, field: string): { externalId: string | null; faults: ItemError[] } {
  const value = Object.hasOwn(body, field) ? body[field] : undefined;
  if (value === undefined || value === null || value === '') {
    return { externalId: null, faults: [{ code: 'missing_external_id', message: `"${field}" is missing`, field }] };
  }
  if (typeof value !== 'string') {
    return {
      externalId: null,
      faults: [{ code: 'invalid_external_id', message: `"${field}" must be a string`, field }],
    };
  }
  return isExternalId(value)
    ? { externalId: value, faults: [] }
    : {
        externalId: null,
        faults: [
          {
            code: 'invalid_external_id',
            message: `"${field}" must be 1 to ${MAX_EXTERNAL_ID} whole characters`,
            field,
          },
        ],
      };
}

/** Half of a character: no UTF-8 text holds one, so two such ids could become the same. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** A string of 1 to 256 code points, all of them whole. */
export function isExternalId(value: string): boolean {
  if (value === '' || LONE_SURROGATE.test(value)) return false;
  // a code point is one or two units, so most strings need no count
  return (
    value.length <= MAX_EXTERNAL_ID || (value.length <= 2 * MAX_EXTERNAL_ID && [...value].length <= MAX_EXTERNAL_ID)
  );
}
