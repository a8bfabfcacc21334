/** Keys in one query: the query itself stays far below MongoDB's 16 MB. */
export const KEYS_PER_QUERY = 1000;

/** Identities that are read, or looked for, in one step; `keySlices` keeps each command small, however long they are. */
export const KEYS_AT_ONCE = 5_000;

/** Most bytes of keys, or of documents, in one command: a quarter of what MongoDB takes of a document, a twelfth of a message. */
export const BYTES_PER_COMMAND = 4 * 1024 * 1024;

/** Consecutive parts of a list, the last one as short as it is. */
export function* slices<T>(all: readonly T[], size = KEYS_PER_QUERY): Generator<T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}

/** Consecutive parts of a list that have at most so many elements and bytes; one that is larger alone is a part of its own. */
export function* slicesByBytes<T>(
  all: Iterable<T>,
  most: number,
  bytesOf: (one: T) => number,
  mostBytes = BYTES_PER_COMMAND,
): Generator<T[]> {
  let part: T[] = [];
  let bytes = 0;
  for (const one of all) {
    const more = bytesOf(one);
    if (part.length > 0 && (part.length >= most || bytes + more > mostBytes)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(one);
    bytes += more;
  }
  if (part.length > 0) yield part;
}

/** Parts of a list of identities that one query takes, however long they are: an identity has up to 3.4 kB. */
export const keySlices = (keys: Iterable<string>, most = KEYS_PER_QUERY): Generator<string[]> =>
  slicesByBytes(keys, most, Buffer.byteLength);
