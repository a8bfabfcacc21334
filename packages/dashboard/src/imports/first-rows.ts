import type { ContentFormat } from '@drover/client';

/** How much of a file is looked at before it is sent, in bytes: enough for a thousand rows of a kilobyte. */
const LOOKED_AT = 1024 ** 2;
const [NEWLINE, QUOTE] = [0x0a, 0x22];

/** The beginning of a file, in whole rows: all of a short one, and of a long one as far as it is looked at. */
export async function firstRows(file: Blob, format: ContentFormat): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await file.slice(0, LOOKED_AT).arrayBuffer());
  return file.size <= LOOKED_AT ? bytes : wholeRows(bytes, format);
}

/** Without the row that is cut off; a row that is longer than all of it is left as it is. */
export function wholeRows<B extends Uint8Array>(bytes: B, format: ContentFormat): B {
  let end = 0;
  let isQuoted = false;
  for (const [at, byte] of bytes.entries()) {
    // a cell of CSV may have lines of its own
    if (byte === QUOTE) isQuoted = format === 'csv' && !isQuoted;
    else if (byte === NEWLINE && !isQuoted) end = at + 1;
  }
  return end === 0 ? bytes : (bytes.subarray(0, end) as B);
}
