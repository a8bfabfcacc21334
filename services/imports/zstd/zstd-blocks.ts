import { DroverError } from '../../../domain/errors.ts';
import { MAX_ZSTD_WINDOW_BYTES } from '../../../domain/limits.ts';

/** Pieces of content that is compressed with zstd, and where each ends: it is unpacked on its own, into at most `MAX_BLOCK_BYTES`. */
export interface ZstdPieces {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ends: readonly number[];
}

/** Content is not whole, valid zstd. */
export class InvalidZstdError extends Error {
  override readonly name = 'InvalidZstdError';
}

const MAX_BLOCK_BYTES = 128 * 1024;
/** Bytes from which on pieces are passed on, packed or as they may be once they are unpacked: a block of 4 bytes may be 128 KiB. */
const PACKED_AT_ONCE = 256 * 1024;
const UNPACKED_AT_ONCE = 1024 * 1024;
const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const DICTIONARY_BYTES = [0, 1, 2, 4];

/**
 * The headers, blocks and checksums of zstd (RFC 8878), some at a time; frames that are to be skipped are. What a frame says of the memory that it
 * needs is checked before anything is unpacked.
 * @throws InvalidZstdError where the content is none, or breaks off; DroverError `body_too_large` for a window that is too large.
 */
export async function* zstdBlocks(packed: AsyncIterable<Uint8Array>): AsyncGenerator<ZstdPieces, void> {
  const input = new Input(packed);
  try {
    yield* blocksOf(input);
  } finally {
    await input.close();
  }
}

async function* blocksOf(input: Input): AsyncGenerator<ZstdPieces, void> {
  const pending = new Pending();
  while (await input.has(1)) {
    const magic = (await input.peek(4)).readUInt32LE();
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
      const bytes = (await input.peek(8)).readUInt32LE(4);
      await input.skip(8 + bytes);
      continue;
    }
    if (magic !== MAGIC) throw new InvalidZstdError('no frame begins where one should');
    const header = await headerOf(input);
    pending.add(await input.take(header.bytes), 0);
    for (let isLast = false; !isLast; ) {
      const block = blockOf((await input.peek(3)).readUIntLE(0, 3), header.window);
      isLast = block.isLast;
      pending.add(await input.take(block.bytes), block.unpacked);
      if (pending.isFull || !input.isThere(3)) yield pending.taken();
    }
    if (header.hasChecksum) pending.add(await input.take(4), 0);
  }
  if (!pending.isEmpty) yield pending.taken();
}

interface FrameHeader {
  readonly bytes: number;
  /** Memory that is needed to unpack the frame. */
  readonly window: number;
  readonly hasChecksum: boolean;
}

async function headerOf(input: Input): Promise<FrameHeader> {
  const descriptor = (await input.peek(5)).readUInt8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const dictionary = DICTIONARY_BYTES[descriptor & 3] ?? 0;
  const sizeBytes = sizeFlag === 0 ? Number(isSingle) : 2 ** sizeFlag;
  const sizeAt = 5 + Number(!isSingle) + dictionary;
  const bytes = await input.peek(sizeAt + sizeBytes);
  if ((descriptor & 8) !== 0) throw new InvalidZstdError('a frame is of a later version');
  if (dictionary > 0 && bytes.readUIntLE(sizeAt - dictionary, dictionary) !== 0)
    throw new InvalidZstdError('a frame needs a dictionary');
  const window = isSingle ? contentSize(bytes.subarray(sizeAt)) : windowSize(bytes.readUInt8(5));
  if (window > MAX_ZSTD_WINDOW_BYTES)
    throw new DroverError(
      'body_too_large',
      `the content needs a window of ${window} bytes to be unpacked, and may need ${MAX_ZSTD_WINDOW_BYTES}`,
    );
  return { bytes: sizeAt + sizeBytes, window, hasChecksum: (descriptor & 4) !== 0 };
}

/** The size of all content of a frame, which is its window if it says so. */
function contentSize(field: Buffer): number {
  if (field.length === 8) return Number(field.readBigUInt64LE());
  return field.readUIntLE(0, field.length) + (field.length === 2 ? 256 : 0);
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** @throws for a block that is larger than blocks may be. */
function blockOf(header: number, window: number): { bytes: number; unpacked: number; isLast: boolean } {
  const type = (header >> 1) & 3;
  const size = header >> 3;
  if (type === 3 || size > Math.min(MAX_BLOCK_BYTES, Math.max(window, 1024)))
    throw new InvalidZstdError('a block is of no kind, or too large');
  const isLast = (header & 1) === 1;
  if (type === 2) return { bytes: 3 + size, unpacked: MAX_BLOCK_BYTES, isLast };
  return { bytes: 3 + (type === 1 ? 1 : size), unpacked: size, isLast };
}

/** Pieces that are not passed on yet. */
class Pending {
  #pieces: Uint8Array[] = [];
  #packed = 0;
  #unpacked = 0;

  add(piece: Uint8Array, unpacked: number): void {
    this.#pieces.push(piece);
    this.#packed += piece.length;
    this.#unpacked += unpacked;
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  get isFull(): boolean {
    return this.#packed >= PACKED_AT_ONCE || this.#unpacked >= UNPACKED_AT_ONCE;
  }

  taken(): ZstdPieces {
    const bytes = new Uint8Array(this.#packed);
    const ends: number[] = [];
    let end = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece, end);
      end += piece.length;
      ends.push(end);
    }
    this.#pieces = [];
    this.#packed = 0;
    this.#unpacked = 0;
    return { bytes, ends };
  }
}

/** Content as it arrives, read by numbers of bytes. */
class Input {
  readonly #arriving: AsyncIterator<Uint8Array>;
  #held = Buffer.alloc(0);
  #isOver = false;

  constructor(packed: AsyncIterable<Uint8Array>) {
    this.#arriving = packed[Symbol.asyncIterator]();
  }

  /** Nothing more is read. */
  async close(): Promise<void> {
    await this.#arriving.return?.();
  }

  isThere(bytes: number): boolean {
    return this.#held.length >= bytes;
  }

  /** Whether so many bytes come. */
  async has(bytes: number): Promise<boolean> {
    if (this.#held.length >= bytes) return true;
    const pieces: Uint8Array[] = [this.#held];
    for (let held = this.#held.length; held < bytes && !this.#isOver; ) {
      const { done, value } = await this.#arriving.next();
      this.#isOver = done === true;
      if (done) break;
      pieces.push(value);
      held += value.length;
    }
    this.#held = Buffer.concat(pieces);
    return this.#held.length >= bytes;
  }

  async peek(bytes: number): Promise<Buffer> {
    if (!(await this.has(bytes))) throw new InvalidZstdError('it breaks off');
    return this.#held.subarray(0, bytes);
  }

  async take(bytes: number): Promise<Buffer> {
    const taken = await this.peek(bytes);
    this.#held = this.#held.subarray(bytes);
    return taken;
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; ) {
      if (!(await this.has(1))) throw new InvalidZstdError('it breaks off');
      const some = Math.min(left, this.#held.length);
      this.#held = this.#held.subarray(some);
      left -= some;
    }
  }
}
