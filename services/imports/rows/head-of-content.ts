import type { Place } from '../../../domain/imports/import.ts';
import type { Chunk, Content } from '../../../domain/imports/lines.ts';

/** The first bytes of content, and whether they are all of it. */
export interface Head {
  readonly bytes: Uint8Array;
  readonly isWhole: boolean;
}

/** How much of content is read at most. */
interface Extent {
  readonly bytes: number;
  /** In ms since 1970. */
  readonly until: number;
}

const NEWLINE = 0x0a;
const LATE = Symbol('the time is over');

/**
 * The first rows of content that arrives, as far as they arrive in time; nothing after them is read.
 * @param hasEnough asked about what has arrived, more and more seldom.
 */
export async function headOfContent(
  content: AsyncIterable<Uint8Array>,
  fewestLines: number,
  { bytes: maxBytes, until }: Extent,
  hasEnough: (head: Head) => Promise<boolean>,
): Promise<Head> {
  const arriving = content[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let [size, lines, due] = [0, 0, fewestLines];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, until - Date.now()), LATE);
  });
  const head = (isWhole: boolean): Head => ({ bytes: Buffer.concat(pieces), isWhole });
  try {
    while (size < maxBytes) {
      const next = arriving.next();
      // it may fail after the time is over
      next.catch(() => undefined);
      const arrived = await Promise.race([next, late]);
      if (arrived === LATE) return head(false);
      if (arrived.done) return head(true);
      pieces.push(arrived.value);
      size += arrived.value.length;
      lines += linesIn(arrived.value);
      if (lines < due) continue;
      if (await hasEnough(head(false))) return head(false);
      due = 2 * lines;
    }
    return head(false);
  } finally {
    clearTimeout(timer);
    // not awaited: a sender that has stopped does not hold up the answer
    void Promise.resolve(arriving.return?.()).catch(() => undefined);
  }
}

function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}

/** Bytes as content from a place on, which is in its only chunk. */
export const contentFrom = ({ bytes, isWhole }: Head, { offset }: Place): Content => ({
  isComplete: isWhole,
  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk> {
    if (offset < bytes.length) yield { part: 1, chunk: 0, offset, bytes: bytes.subarray(offset) };
  },
});
