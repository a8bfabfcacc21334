import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { DroverError } from '../../domain/errors.ts';
import { ANY_RATIO_BYTES, MAX_EMPTY_CONTENT_BYTES, MAX_UNPACKED_RATIO } from '../../domain/limits.ts';
import { unpackZstd, ZSTD_MEMORY_BYTES } from '../../services/imports/zstd/unpack-zstd.ts';
import { InvalidZstdError } from '../../services/imports/zstd/zstd-blocks.ts';
import { atLeast } from '../middleware/body-rate.ts';
import { badRequest } from './api-error.ts';
import type { ApiContext } from './context.ts';

/** Bytes that a stream of content occupies while it arrives, whatever its length: one chunk, and what the decompressor holds. */
const HELD_BYTES = 384 * 1024;

const ENCODINGS = ['identity', 'gzip', 'zstd'];

/**
 * The body of a request as a stream of unpacked bytes, in bounded memory, as long as it is used: however that ends, nothing of it is left running.
 * @param maxBytes largest number of unpacked bytes.
 * @throws DroverError 415 for another content encoding, 429 while other bodies occupy too much memory; while it is read 413 above the limit or for
 * content that unpacks to far more than was sent, 408 if it arrives too slowly, 400 if it breaks off or cannot be unpacked.
 */
export async function withContent<T>(
  c: ApiContext,
  maxBytes: number,
  use: (content: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const content = readContent(c, maxBytes);
  try {
    return await use(content);
  } finally {
    // a thread, a timer and the body go with it; not awaited: a sender that has stopped does not hold up the answer
    void content.return().catch(() => undefined);
  }
}

function readContent(c: ApiContext, maxBytes: number): AsyncGenerator<Uint8Array, void> {
  const encoding = c.req.header('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (!ENCODINGS.includes(encoding))
    throw new DroverError(
      'unsupported_media_type',
      `the content encoding must be one of ${ENCODINGS.join(', ')}, not "${encoding.slice(0, 100)}"`,
    );
  if (encoding === 'identity' && Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
  c.var.load.addBodyBytes(HELD_BYTES + (encoding === 'zstd' ? ZSTD_MEMORY_BYTES : 0));
  const received = new Received(maxBytes);
  return limited(unpacked(encoding, arriving(c, received)), received, maxBytes);
}

/** Bytes that have arrived. Compressed content of nothing would otherwise occupy memory and a thread for ever. */
class Received {
  readonly #maxBytes: number;
  bytes = 0;
  #unpackedAt = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws DroverError 413 for more bytes than content of the largest size has however badly it is compressed, or many that unpack to nothing. */
  add(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.#maxBytes + Math.max(this.#maxBytes / 100, MAX_EMPTY_CONTENT_BYTES))
      throw tooLarge(this.#maxBytes);
    if (this.bytes - this.#unpackedAt - bytes > MAX_EMPTY_CONTENT_BYTES)
      throw new DroverError(
        'body_too_large',
        `the content has ${MAX_EMPTY_CONTENT_BYTES} bytes that unpack to nothing`,
      );
  }

  /** Something was unpacked. */
  unpacked(): void {
    this.#unpackedAt = this.bytes;
  }
}

const tooLarge = (maxBytes: number): DroverError =>
  new DroverError('body_too_large', `the content is larger than ${maxBytes} bytes`);

async function* arriving(c: ApiContext, received: Received): AsyncGenerator<Uint8Array, void> {
  const { body } = c.req.raw;
  if (body === null) return;
  c.var.time.suspend();
  try {
    for await (const chunk of atLeast(body, { leastBytesPerSecond: c.var.services.config.MIN_BODY_BYTES_PER_SECOND })) {
      received.add(chunk.byteLength);
      yield chunk;
    }
  } catch (error) {
    if (!(error instanceof DroverError)) throw badRequest('body: breaks off');
    // does not wait for the rest of a slow body
    if (error.code === 'body_too_slow') c.header('Connection', 'close');
    throw error;
  } finally {
    c.var.time.restart();
  }
}

function unpacked(encoding: string, packed: AsyncGenerator<Uint8Array, void>): AsyncGenerator<Uint8Array, void> {
  if (encoding === 'gzip') return unzipped(packed);
  return encoding === 'zstd' ? unpackedZstd(packed) : packed;
}

async function* unpackedZstd(packed: AsyncGenerator<Uint8Array, void>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* unpackZstd(packed);
  } catch (error) {
    throw error instanceof InvalidZstdError ? badRequest('body: is not whole, valid zstd') : error;
  }
}

async function* unzipped(packed: AsyncGenerator<Uint8Array, void>): AsyncGenerator<Uint8Array, void> {
  const source = Readable.from(packed, { objectMode: false });
  const gunzip = createGunzip();
  // a failure of the source ends the reading of what it is piped into
  source.on('error', (error) => gunzip.destroy(error));
  try {
    for await (const chunk of source.pipe(gunzip)) yield chunk as Uint8Array;
  } catch (error) {
    throw error instanceof DroverError ? error : badRequest('body: is not whole, valid gzip');
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/** Ends content that is too large before it is held or stored: a small compressed body can unpack to any size. */
async function* limited(
  content: AsyncIterable<Uint8Array>,
  received: Received,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    if (chunk.byteLength > 0) received.unpacked();
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    if (bytes > ANY_RATIO_BYTES && bytes > received.bytes * MAX_UNPACKED_RATIO)
      throw new DroverError('body_too_large', `the content unpacks to more than ${MAX_UNPACKED_RATIO} times its size`);
    yield chunk;
  }
}
