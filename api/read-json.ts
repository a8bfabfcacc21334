import type { ApiContext } from './context.ts';
import { ApiError, badRequest } from './envelope.ts';

/** `application/json`, with any parameter; a charset other than UTF-8 is told apart by its bytes. */
const JSON_TYPE = /^application\/json\s*(;|$)/i;

/**
 * Most objects and arrays in one body. Sixteen megabytes of nothing but empty ones take a second to parse, in which nobody else
 * is answered, and a hundred times the memory of their text.
 */
const MAX_NODES = 1_000_000;
const OPENING = [0x7b, 0x5b] as const;

/**
 * The body of a request, at most the configured number of bytes of it read.
 * @throws ApiError 415 for another content type, 413 past the limit, 400 where it is no UTF-8 or no JSON.
 */
export async function readJson(c: ApiContext): Promise<{ json: unknown; bytes: Uint8Array }> {
  const type = c.req.header('content-type') ?? '';
  if (!JSON_TYPE.test(type))
    throw new ApiError(415, `the content type must be application/json, not "${type.slice(0, 100)}"`);
  const bytes = await readBytes(c);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badRequest('body: is not valid UTF-8');
  }
  try {
    return { json: JSON.parse(text), bytes };
  } catch (error) {
    throw badRequest(`body: is not valid JSON${error instanceof SyntaxError ? placeOf(error) : ''}`);
  }
}

/** Where the parser stopped, without what it read. */
function placeOf(error: SyntaxError): string {
  const position = /position \d+/.exec(error.message);
  return position ? ` at ${position[0]}` : '';
}

/**
 * The body as it comes, at most the configured number of bytes of it.
 * @throws ApiError 413 past the limit, 415 where it is compressed, 429 where others have sent too much already, 400 where
 * the body breaks off, or holds too many objects to be parsed.
 */
export async function readBytes(c: ApiContext): Promise<Uint8Array> {
  const limit = c.var.services.config.BODY_LIMIT_BYTES;
  // a small body can unpack to any size
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw new ApiError(415, 'compressed bodies are not accepted');
  const tooLarge = (): ApiError => new ApiError(413, `the body is larger than ${limit} bytes`);
  if (Number(c.req.header('content-length') ?? 0) > limit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of c.req.raw.body ?? []) {
      size += chunk.byteLength;
      if (size > limit) throw tooLarge();
      c.var.load.addBodyBytes(chunk.byteLength);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof ApiError ? error : badRequest('body: breaks off');
  }
  const bytes = Buffer.concat(chunks);
  if (hasTooManyNodes(bytes)) throw badRequest(`body: holds more than ${MAX_NODES} objects and arrays`);
  return bytes;
}

/** Counts them before they are parsed; those in texts too, which are hardly ever as many. */
function hasTooManyNodes(bytes: Buffer): boolean {
  let nodes = 0;
  for (const byte of OPENING) {
    for (let at = bytes.indexOf(byte); at !== -1 && nodes <= MAX_NODES; at = bytes.indexOf(byte, at + 1)) nodes += 1;
  }
  return nodes > MAX_NODES;
}
