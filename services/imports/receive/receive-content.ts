import { createHash } from 'node:crypto';
import { CHUNK_BYTES, insertChunk, type Upload } from '../../../store/imports/import-content.ts';
import type { Database } from '../../../store/mongodb/database.ts';

/** Time after which a piece of content is stored although more would fit into its chunk, in ms: rows of a slow sender are not kept waiting. */
const FLUSH_MS = 300;

/** Content that is stored. */
export interface StoredPart {
  readonly chunks: number;
  readonly bytes: number;
  readonly hash: string;
}

/**
 * Stores content in chunks while it arrives, one after the other: a chunk is stored only after those before it, so that readers find no gap.
 * Holds one chunk in memory.
 * @param stored called after each chunk but the last one, and from time to time while nothing arrives.
 */
export async function storeChunks(
  database: Database,
  upload: Upload,
  content: AsyncIterable<Uint8Array>,
  stored: (bytes: number) => Promise<void> = async () => undefined,
): Promise<StoredPart> {
  const hash = createHash('sha256');
  let chunks = 0;
  let bytes = 0;
  let pieces: Uint8Array[] = [];
  let size = 0;
  let flushDue = Number.POSITIVE_INFINITY;
  const flushLast = async (): Promise<void> => {
    const chunk = pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
    pieces = [];
    size = 0;
    flushDue = Number.POSITIVE_INFINITY;
    hash.update(chunk);
    await insertChunk(database, upload, chunks, chunk);
    chunks += 1;
    bytes += chunk.length;
  };
  const flush = async (): Promise<void> => {
    await flushLast();
    await stored(bytes);
  };
  for await (const arrived of orPause(content, FLUSH_MS)) {
    if (arrived === 'pause') {
      if (size > 0) await flush();
      else await stored(bytes);
      continue;
    }
    for (let at = 0; at < arrived.length; ) {
      const piece = arrived.subarray(at, at + CHUNK_BYTES - size);
      if (size === 0) flushDue = performance.now() + FLUSH_MS;
      pieces.push(piece);
      size += piece.length;
      at += piece.length;
      if (size === CHUNK_BYTES) await flush();
    }
    // a sender may be slow without ever pausing
    if (performance.now() >= flushDue) await flush();
  }
  if (size > 0) await flushLast();
  return { chunks, bytes, hash: hash.digest('hex') };
}

/** What arrives, and `pause` each time that nothing has arrived for a while. */
async function* orPause<T>(content: AsyncIterable<T>, pauseMs: number): AsyncGenerator<T | 'pause'> {
  const arriving = content[Symbol.asyncIterator]();
  let timer: NodeJS.Timeout | undefined;
  const paused = (): Promise<'pause'> =>
    new Promise((resolve) => {
      timer = setTimeout(resolve, pauseMs, 'pause');
    });
  let next = arriving.next();
  try {
    for (;;) {
      const got = await Promise.race([next, paused()]);
      clearTimeout(timer);
      if (got === 'pause') yield got;
      else if (got.done) return;
      else {
        next = arriving.next();
        // it may fail while what came before it is being stored
        next.catch(() => undefined);
        yield got.value;
      }
    }
  } finally {
    clearTimeout(timer);
    // not awaited: it ends only when more arrives, or the sender is given up
    void Promise.resolve(arriving.return?.()).catch(() => undefined);
  }
}
