import type { ContentFormat } from '@drover/client';

const [NEWLINE, QUOTE] = [0x0a, 0x22];

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
