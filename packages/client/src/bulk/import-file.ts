import { DroverError } from '../errors.ts';
import { piecesOf } from '../json/ndjson.ts';
import type { Imports } from '../nouns/imports.ts';
import { DEFAULT_PATIENCE_MS, patiently } from '../transport/patience.ts';
import type { CallOptions, ContentFormat, ImportOptions, ImportPart, ImportPreview } from '../types.ts';
import { headOfFile } from './head-of-file.ts';
import { inWindow } from './window.ts';

/** What is imported: a file (`Blob`, also what `fs.openAsBlob` gives), a stream of bytes, or pieces of text or bytes. */
export type ImportSource = Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | string>;

/** Options of a preview of an import, beside those that the service takes. */
export interface PreviewImportOptions extends ImportOptions, CallOptions {
  /** Default: by the type or name of a file; else it has to be given. */
  readonly format?: ContentFormat;
}

/** Options of an import, beside those that the service takes. */
export interface ImportFileOptions extends PreviewImportOptions {
  /** An import that was begun before: the same source, of which the parts that the service has are not sent again. */
  readonly resume?: string;
  /** Size of a part, in bytes, up to 64 MiB; a resumed import has to have the size of before. Default 8 MiB. */
  readonly partBytes?: number;
  /** Parts that are sent at a time. Default 4. */
  readonly inFlight?: number;
  /** How long a service that does not answer, or is busy, is waited for, in ms. Default 300,000. */
  readonly patienceMs?: number;
  /** Called once the import has an id: with it, it can be resumed. */
  readonly onStart?: (importId: string) => void;
  /** Called whenever a part is durable, with the bytes of all parts that are. */
  readonly onProgress?: (bytes: number) => void;
}

const DEFAULT_PART_BYTES = 8 * 1024 ** 2;
const DEFAULT_IN_FLIGHT = 4;

interface Part {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/**
 * Sends a source in parts, in the memory of a few of them, and seals the import. Rows are applied while later ones are sent.
 * @returns the id of the import, whose content is durable. @throws DroverError; TypeError if there is no content, or no format
 */
export async function importFile(imports: Imports, source: ImportSource, options: ImportFileOptions): Promise<string> {
  const { format: given, resume, partBytes = DEFAULT_PART_BYTES, inFlight = DEFAULT_IN_FLIGHT, ...more } = options;
  const { patienceMs = DEFAULT_PATIENCE_MS, onStart, onProgress, signal, ...asked } = more;
  const format = given ?? formatOf(source);
  const content = await notEmpty(bytesOf(source));
  const importId = resume ?? (await imports.start(format, { ...asked, ...(signal && { signal }) }));
  onStart?.(importId);
  const stored =
    resume === undefined ? NONE : await patiently(() => storedParts(imports, importId, signal), patienceMs, signal);
  let [sent, parts] = [0, 0];
  await inWindow(partsOf(content, partBytes), inFlight, signal, async ({ number, bytes }, end) => {
    if (!(await isStored(stored, number, bytes)))
      await patiently(() => imports.sendPart(importId, number, { format, bytes, signal: end }), patienceMs, end);
    parts = Math.max(parts, number);
    sent += bytes.length;
    onProgress?.(sent);
  });
  await patiently(() => imports.seal(importId, parts, signal && { signal }), patienceMs, signal);
  return importId;
}

const NONE: ReadonlyMap<number, ImportPart> = new Map();

/** What the service has of an import that was begun before; nothing if it does not say: then all is sent. @throws DroverError */
async function storedParts(imports: Imports, importId: string, signal: AbortSignal | undefined) {
  const parts = new Map<number, ImportPart>();
  try {
    for await (const part of imports.parts(importId, { ...(signal && { signal }) })) parts.set(part.part, part);
  } catch (error) {
    // of an earlier version, or without such an import: sending tells
    if (!(error instanceof DroverError && error.status === 404)) throw error;
  }
  return parts;
}

/** Whether the service has the same bytes. What differs is sent: the service refuses it, and says so. */
async function isStored(stored: ReadonlyMap<number, ImportPart>, part: number, bytes: Uint8Array): Promise<boolean> {
  const there = stored.get(part);
  if (there === undefined || there.bytes !== bytes.length) return false;
  // a page that does not come over https has none
  const { subtle } = globalThis.crypto as Partial<typeof globalThis.crypto>;
  if (subtle === undefined) return false;
  const digest = await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('') === there.sha256;
}

/** What an import of a source would make of its first rows; the rest of it is not read. @throws DroverError; TypeError if there is no content, or no format */
export async function previewImport(
  imports: Imports,
  source: ImportSource,
  { format: given, ...options }: PreviewImportOptions,
): Promise<ImportPreview> {
  const format = given ?? formatOf(source);
  const { bytes, isWhole } = await headOfFile(await notEmpty(bytesOf(source)), format);
  const preview = await imports.preview(format, bytes, options);
  return { ...preview, isWhole: preview.isWhole && isWhole };
}

/** @throws TypeError if the source does not say. */
function formatOf(source: ImportSource): ContentFormat {
  if (source instanceof Blob) {
    const name = 'name' in source && typeof source.name === 'string' ? source.name : '';
    if (/csv/.test(source.type) || /\.csv$/i.test(name)) return 'csv';
    if (/ndjson|jsonl/.test(source.type) || /\.(ndjson|jsonl)$/i.test(name)) return 'ndjson';
  }
  throw new TypeError('say which format the content has: ndjson or csv');
}

/** The same, once there is a byte. @throws TypeError if there never is: no import is started then. */
async function notEmpty(content: AsyncGenerator<Uint8Array, void>): Promise<AsyncIterable<Uint8Array>> {
  let first = await content.next();
  while (!first.done && first.value.length === 0) first = await content.next();
  const { done, value } = first;
  if (done) throw new TypeError('there is nothing to import');
  return (async function* () {
    yield value;
    yield* content;
  })();
}

/** The same parts for the same source. */
async function* partsOf(content: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Part, void> {
  let number = 1;
  let [part, filled] = [new Uint8Array(partBytes), 0];
  for await (const piece of content) {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.subarray(at, at + partBytes - filled);
      part.set(taken, filled);
      [at, filled] = [at + taken.length, filled + taken.length];
      if (filled < partBytes) continue;
      yield { number, bytes: part };
      [number, part, filled] = [number + 1, new Uint8Array(partBytes), 0];
    }
  }
  if (filled > 0) yield { number, bytes: part.subarray(0, filled) };
}

async function* bytesOf(source: ImportSource): AsyncGenerator<Uint8Array, void> {
  const encoder = new TextEncoder();
  const pieces =
    source instanceof Blob ? piecesOf(source.stream()) : source instanceof ReadableStream ? piecesOf(source) : source;
  for await (const piece of pieces) yield typeof piece === 'string' ? encoder.encode(piece) : piece;
}
