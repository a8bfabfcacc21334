/** Keys in one query: the query itself stays far below MongoDB's 16 MB. */
export const KEYS_PER_QUERY = 1000;

/** Identities that are read, or looked up, in one step; `keyParts` keeps each command small, however long they are. */
export const KEYS_AT_ONCE = 5_000;

/** Largest size of keys, or of documents, in one command, in bytes: a quarter of MongoDB's limit for a document, a twelfth of that for a message. */
export const BYTES_PER_COMMAND = 4 * 1024 * 1024;

/** Consecutive parts of a list; the last one may be shorter. */
export function* parts<T>(all: readonly T[], size = KEYS_PER_QUERY): Generator<T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}

/** Consecutive parts of a list with at most so many elements and bytes; an element that is larger alone is a part of its own. */
export function* partsByBytes<T>(
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

/** Parts of a list of identities that fit into one query, however long they are: an identity has up to 3.4 kB. */
export const keyParts = (keys: Iterable<string>, most = KEYS_PER_QUERY): Generator<string[]> =>
  partsByBytes(keys, most, Buffer.byteLength);
