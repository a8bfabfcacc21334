import type { ItemError } from '../batch/outcome.ts';
import { hasLoneSurrogate } from '../json/well-formed.ts';
import { MAX_EXTERNAL_ID } from '../limits.ts';
import type { JsonObject } from './resource.ts';

/**
 * The external id of a body: null or "" is missing, another type or more than 256 code points is
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
  if (isExternalId(value)) return { externalId: value, faults: [] };
  const reason = hasLoneSurrogate(value)
    ? 'must not hold half of a character (a lone surrogate)'
    : `must be 1 to ${MAX_EXTERNAL_ID} characters`;
  return { externalId: null, faults: [{ code: 'invalid_external_id', message: `"${field}" ${reason}`, field }] };
}

/** A string of 1 to 256 code points, all of them whole. */
export function isExternalId(value: string): boolean {
  // with half of a character, two different ids could be stored as the same
  if (value === '' || hasLoneSurrogate(value)) return false;
  // a code point is one or two units, so most strings need no count
  return (
    value.length <= MAX_EXTERNAL_ID || (value.length <= 2 * MAX_EXTERNAL_ID && [...value].length <= MAX_EXTERNAL_ID)
  );
}
