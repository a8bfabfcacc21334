import type { Worker } from 'node:worker_threads';
import { Interruption } from '../../../domain/collections/interruption.ts';
import { startThread } from '../../threads/start-thread.ts';
import type { UnpackAnswer, UnpackRequest } from './unpacking-thread.ts';
import { InvalidZstdError, zstdBlocks } from './zstd-blocks.ts';

/** Memory of JavaScript in a thread, in MiB; that of the decoder, some 9 MiB and the window, is beside it. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16, stackSizeMb: 2 };

/** Memory that one thread needs, in bytes. */
export const ZSTD_MEMORY_BYTES = 24 * 1024 * 1024;

/**
 * Content that is compressed with zstd, unpacked about a megabyte at a time. Each content has a thread of its own: other requests do not wait, and
 * the memory of its decoder, which grows and is not freed if content breaks off, goes with it.
 * @throws InvalidZstdError where it is not whole and valid; what reading `packed` throws.
 */
export async function* unpackZstd(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const thread = startThread('./unpacking-thread', import.meta.url, RESOURCE_LIMITS);
  // listens as long as the thread lives: it may fail while nothing is asked of it
  const ended = new Interruption();
  thread
    .once('exit', () => ended.interrupt(new Error('a thread that unpacks content has ended')))
    .on('error', (error) => ended.interrupt(error));
  try {
    for await (const pieces of zstdBlocks(packed)) {
      const unpacked = await asked(thread, ended, pieces);
      if (unpacked.length > 0) yield unpacked;
    }
    await asked(thread, ended, null);
  } finally {
    void thread.terminate();
  }
}

async function asked(thread: Worker, ended: Interruption, request: UnpackRequest): Promise<Uint8Array> {
  const answered = new Promise<UnpackAnswer>((resolve) => thread.once('message', resolve));
  thread.postMessage(request, request === null ? [] : [request.bytes.buffer]);
  const answer = await ended.during(answered);
  if (answer === null) throw new InvalidZstdError('it is not valid, or breaks off');
  return answer;
}
