import { DroverError } from '../../domain/errors.ts';
import { parseJson } from '../../domain/json/parse.ts';
import { findFlaws, type JsonCensus, type JsonFlaw, takeCensus } from '../../domain/json/source.ts';
import { MAX_BODY_PARTS } from '../../domain/limits.ts';
import { atLeast } from '../middleware/body-rate.ts';
import { badRequest } from './api-error.ts';
import type { ApiContext } from './context.ts';

/** `application/json`, with any parameter; a charset other than UTF-8 is detected by its bytes. */
const JSON_TYPE = /^application\/json\s*(;|$)/i;

/** A parsed body, with the flaws of its text that the value does not show. */
export interface JsonBody {
  readonly json: unknown;
  readonly flaws: readonly JsonFlaw[];
  readonly bytes: Uint8Array;
}

/**
 * The body of a request, at most the configured number of bytes of it read.
 * @param hint what a body should contain, for the message if there is none.
 * @throws DroverError 415 for another content type, 413 above the limit, 400 if there is no body, or it is not UTF-8 or not JSON.
 */
export async function readJson(c: ApiContext, hint = ''): Promise<JsonBody> {
  const type = c.req.header('content-type') ?? '';
  if (type !== '' && !JSON_TYPE.test(type))
    throw new DroverError(
      'unsupported_media_type',
      `the content type must be application/json, not "${type.slice(0, 100)}"`,
    );
  const { bytes, census } = await readBytes(c);
  if (bytes.byteLength === 0)
    throw badRequest(`body: is empty: JSON is needed, of content type application/json${hint}`);
  if (type === '') throw badRequest(`content-type: must be given, as application/json${hint}`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badRequest('body: is not valid UTF-8');
  }
  try {
    const json = census.hasPlaceName ? parseJson(text) : (JSON.parse(text) as unknown);
    return { json, flaws: findFlaws(text, json, census), bytes };
  } catch (error) {
    throw badRequest(`body: is not valid JSON${error instanceof SyntaxError ? placeOf(error) : ''}`);
  }
}

/** The position where the parser stopped, without the text. */
function placeOf(error: SyntaxError): string {
  const position = /position \d+/.exec(error.message);
  return position ? ` at ${position[0]}` : '';
}

/**
 * The body as it arrives, at most the configured number of its bytes.
 * @throws DroverError 413 above the limit, 415 if it is compressed, 408 if it arrives too slowly, 429 while other bodies occupy too
 * much memory, 400 if the body is incomplete or has too many parts.
 */
export async function readBytes(c: ApiContext): Promise<{ bytes: Uint8Array; census: JsonCensus }> {
  const { BODY_LIMIT_BYTES: limit, MIN_BODY_BYTES_PER_SECOND } = c.var.services.config;
  const rate = { leastBytesPerSecond: MIN_BODY_BYTES_PER_SECOND };
  // a small compressed body can expand to any size
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw new DroverError('unsupported_media_type', 'compressed bodies are not accepted');
  const tooLarge = (): DroverError => new DroverError('body_too_large', `the body is larger than ${limit} bytes`);
  if (Number(c.req.header('content-length') ?? 0) > limit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of c.req.raw.body === null ? [] : atLeast(c.req.raw.body, rate)) {
      size += chunk.byteLength;
      if (size > limit) throw tooLarge();
      c.var.load.addBodyBytes(chunk.byteLength);
      chunks.push(chunk);
    }
  } catch (error) {
    if (!(error instanceof DroverError)) throw badRequest('body: breaks off');
    // does not wait for the rest of a slow body
    if (error.code === 'body_too_slow') c.header('Connection', 'close');
    throw error;
  }
  const bytes = Buffer.concat(chunks);
  const census = takeCensus(bytes, MAX_BODY_PARTS);
  if (census.parts > MAX_BODY_PARTS)
    throw badRequest(`body: holds more than ${MAX_BODY_PARTS} objects, arrays and members: send less at once`);
  return { bytes, census };
}
