import { parentPort } from 'node:worker_threads';
import { ZSTDDecoder } from 'zstddec/stream';
import type { ZstdPieces } from './zstd-blocks.ts';

/** What a thread is asked: to unpack pieces, or whether what it has unpacked is whole (null). */
export type UnpackRequest = ZstdPieces | null;
/** What was unpacked; null: it is not valid. */
export type UnpackAnswer = Uint8Array | null;

/**
 * The decoder as one that is given a piece at a time. It takes the next piece when it has unpacked the one before, and never if that is not valid:
 * then it gives nothing, over and over.
 */
class Unpacking {
  #next: Uint8Array | null | undefined;
  readonly #unpacked: Generator<Uint8Array>;

  constructor(decoder: ZSTDDecoder) {
    const next = (): IteratorResult<Uint8Array> => {
      const piece = this.#next;
      this.#next = undefined;
      if (piece === undefined) throw new Error('the decoder asks for a piece that was not given to it');
      return piece === null ? { done: true, value: undefined } : { done: false, value: piece };
    };
    this.#unpacked = decoder.decodeStreaming({ [Symbol.iterator]: () => ({ next }) });
  }

  /** @returns null if the piece before is not valid. */
  add(piece: Uint8Array): Uint8Array[] | null {
    this.#next = piece;
    const unpacked: Uint8Array[] = [];
    while (this.#next !== undefined) {
      const { value } = this.#unpacked.next();
      unpacked.push(value);
      if (value.length === 0 && this.#next !== undefined) return null;
    }
    return unpacked;
  }

  /** Whether all of it was valid and whole. */
  end(): boolean {
    this.#next = null;
    try {
      return this.#unpacked.next().done === true;
    } catch {
      return false;
    }
  }
}

const decoder = new ZSTDDecoder();
const ready = decoder.init().then(() => new Unpacking(decoder));

function answer(unpacking: Unpacking, request: UnpackRequest): UnpackAnswer {
  if (request === null) return unpacking.end() ? new Uint8Array() : null;
  const unpacked: Uint8Array[] = [];
  let begin = 0;
  for (const end of request.ends) {
    const some = unpacking.add(request.bytes.subarray(begin, end));
    if (some === null) return null;
    unpacked.push(...some);
    begin = end;
  }
  return Buffer.concat(unpacked);
}

parentPort?.on('message', async (request: UnpackRequest) => {
  parentPort?.postMessage(answer(await ready, request) satisfies UnpackAnswer);
});
