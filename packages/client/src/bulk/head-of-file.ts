import type { ContentFormat } from '../types.ts';

/** Bytes of a file that a preview is sent: most files have more rows in them than it looks at. */
const ENOUGH_BYTES = 4 * 1024 ** 2;
/** What a preview looks at, at most: a first row that is longer is sent as far as this. */
const MAX_BYTES = 16 * 1024 ** 2;
const [LF, QUOTE] = [10, 34];

/** The first rows of a file, as they are, and whether these are all. Of CSV a row may have several lines: it ends outside of quotes. */
export async function headOfFile(
  content: AsyncIterable<Uint8Array>,
  format: ContentFormat,
): Promise<{ readonly bytes: Uint8Array; readonly isWhole: boolean }> {
  const pieces: Uint8Array[] = [];
  let [size, rowsEnd] = [0, 0];
  let isQuoted = false;
  for await (const piece of content) {
    if (size >= MAX_BYTES || (size >= ENOUGH_BYTES && rowsEnd > 0))
      return { bytes: joined(pieces, rowsEnd || MAX_BYTES), isWhole: false };
    for (const [at, byte] of piece.entries()) {
      if (byte === QUOTE && format === 'csv') isQuoted = !isQuoted;
      else if (byte === LF && !isQuoted && (rowsEnd === 0 || size + at < ENOUGH_BYTES)) rowsEnd = size + at + 1;
    }
    pieces.push(piece);
    size += piece.length;
  }
  return { bytes: joined(pieces, size), isWhole: true };
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    const taken = piece.subarray(0, size - at);
    all.set(taken, at);
    at += taken.length;
  }
  return all;
}
