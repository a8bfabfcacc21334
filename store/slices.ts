/** Keys in one query: the query itself stays far below MongoDB's 16 MB. */
export const KEYS_PER_QUERY = 1000;

/** Consecutive parts of a list, the last one as short as it is. */
export function* slices<T>(all: readonly T[], size = KEYS_PER_QUERY): Generator<T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}
