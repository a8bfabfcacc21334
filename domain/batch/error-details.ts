import { shortened } from '../json/shortened.ts';
import { MAX_ERROR_DETAIL_LENGTH, MAX_ERROR_DETAILS } from '../limits.ts';
import type { ItemError } from './outcome.ts';

/** The errors of the first items of a batch: index -> message. */
export type ErrorDetails = Record<string, string>;

/**
 * Adds the errors of some items, given in index order, up to the number that a batch shows.
 * @returns whether more fits in.
 */
export function addErrorDetails(
  details: ErrorDetails,
  outcomes: Iterable<readonly [number, { readonly errors?: readonly ItemError[] }]>,
): boolean {
  let left = MAX_ERROR_DETAILS - Object.keys(details).length;
  for (const [index, { errors }] of outcomes) {
    if (left <= 0) break;
    if (!errors?.length) continue;
    details[index] = shortened(errors.map((error) => error.message).join('; '), MAX_ERROR_DETAIL_LENGTH);
    left -= 1;
  }
  return left > 0;
}
