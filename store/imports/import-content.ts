import type { Binary, Collection } from 'mongodb';
import type { Database } from '../mongodb/database.ts';
import { deleteEach, deleteFound } from '../mongodb/each-by-id.ts';
import { isDuplicateKey } from '../mongodb/errors.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';

/** A piece of the content of an import, unpacked: at most `CHUNK_BYTES`. */
interface ChunkDocument {
  /** Import id/part/upload/chunk. */
  _id: string;
  bytes: Binary | Uint8Array;
}

/** A part of the content of an import whose chunks are all stored. */
export interface PartDocument {
  /** Import id/part. */
  _id: string;
  /** The upload whose chunks it has: of several senders of a part one inserts this. */
  upload: string;
  chunks: number;
  bytes: number;
  /** SHA-256 of its content. */
  hash: string;
}

/** Chunks that are looked for at a time. */
const CHUNKS_PER_QUERY = 500;

/** Largest number of bytes in one chunk. */
export const CHUNK_BYTES = 256 * 1024;

/** The collection `import_chunks`. */
const chunksIn = (database: Database): Collection<ChunkDocument> => database.collection('import_chunks');
/** The collection `import_parts`. */
const partsIn = (database: Database): Collection<PartDocument> => database.collection('import_parts');

/** Every chunk, and every part, by its id alone. */
export const scanChunks = (database: Database): Scan<Pick<ChunkDocument, '_id'>> =>
  scanOf(chunksIn(database), { _id: 1 });
export const scanParts = (database: Database): Scan<Pick<PartDocument, '_id'>> => scanOf(partsIn(database), { _id: 1 });

/** The first of the chunks `from` to `to` (not included) of an upload that is not stored; null if all are. */
export async function missingChunk(
  database: Database,
  upload: Upload,
  from: number,
  to: number,
): Promise<number | null> {
  for (let at = from; at < to; at += CHUNKS_PER_QUERY) {
    const numbers = Array.from({ length: Math.min(CHUNKS_PER_QUERY, to - at) }, (_, offset) => at + offset);
    const stored = new Set<string>();
    const ids = numbers.map((chunk) => chunkId(upload, chunk));
    for await (const page of scanChunks(database).again(ids)) for (const { _id } of page) stored.add(_id);
    const missing = numbers.find((chunk) => !stored.has(chunkId(upload, chunk)));
    if (missing !== undefined) return missing;
  }
  return null;
}

/** One sender's upload of a part. */
export interface Upload {
  readonly importId: string;
  readonly part: number;
  readonly upload: string;
}

const partId = (importId: string, part: number): string => `${importId}/${part}`;
const chunkId = ({ importId, part, upload }: Upload, chunk: number): string =>
  `${partId(importId, part)}/${upload}/${chunk}`;
/** Matches the ids that begin with the id of an import. */
const ofImport = (importId: string) => ({ _id: { $gte: `${importId}/`, $lt: `${importId}0` } });

/** Stores one chunk; those before it are stored. */
export async function insertChunk(database: Database, upload: Upload, chunk: number, bytes: Uint8Array): Promise<void> {
  await chunksIn(database).insertOne({ _id: chunkId(upload, chunk), bytes });
}

/** One chunk; null if it is not stored (yet, or any more). */
export async function readChunk(database: Database, upload: Upload, chunk: number): Promise<Uint8Array | null> {
  const found = await chunksIn(database).findOne({ _id: chunkId(upload, chunk) });
  if (found === null) return null;
  return found.bytes instanceof Uint8Array ? found.bytes : found.bytes.buffer;
}

/** Removes chunks `from` to `to` (not included). Safe to repeat. */
export async function removeChunks(database: Database, upload: Upload, from: number, to: number): Promise<void> {
  const ids = Array.from({ length: Math.max(0, to - from) }, (_, at) => chunkId(upload, from + at));
  await deleteEach(chunksIn(database), ids);
}

/**
 * All chunks of a part are stored: the first one who says so has sent it. @returns the part as it is stored.
 */
export async function insertPart(
  database: Database,
  { importId, part, upload }: Upload,
  content: Pick<PartDocument, 'chunks' | 'bytes' | 'hash'>,
): Promise<PartDocument> {
  const document = { _id: partId(importId, part), upload, ...content };
  try {
    await partsIn(database).insertOne(document);
    return document;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return (await readPart(database, importId, part)) ?? document;
  }
}

export async function readPart(database: Database, importId: string, part: number): Promise<PartDocument | null> {
  return partsIn(database).findOne({ _id: partId(importId, part) });
}

/** The parts of an import that are stored: number -> bytes. */
export async function storedParts(
  database: Database,
  { _id: importId, removedUploads = [] }: { readonly _id: string; readonly removedUploads?: readonly string[] },
): Promise<Map<number, number>> {
  const parts = await partsIn(database)
    .find(ofImport(importId), { projection: { bytes: 1, upload: 1 } })
    .toArray();
  const there = parts.filter(({ upload }) => !removedUploads.includes(upload));
  return new Map(there.map(({ _id, bytes }) => [Number(_id.slice(importId.length + 1)), bytes]));
}

/** Removes a part that counts as never sent, and its chunks. Safe to repeat: another upload of the part stays. */
export async function removePart(
  database: Database,
  { importId, part, upload }: Upload,
  chunks: number,
): Promise<void> {
  await partsIn(database).deleteOne({ _id: partId(importId, part), upload });
  await removeChunks(database, { importId, part, upload }, 0, chunks);
}

/** The parts of an import that are stored, by number. */
export async function listParts(
  database: Database,
  importId: string,
): Promise<(Pick<PartDocument, 'upload' | 'bytes' | 'hash'> & { readonly part: number })[]> {
  const found = await partsIn(database)
    .find(ofImport(importId), { projection: { upload: 1, bytes: 1, hash: 1 } })
    .toArray();
  return found
    .map(({ _id, upload, bytes, hash }) => ({ part: Number(_id.slice(importId.length + 1)), upload, bytes, hash }))
    .sort((a, b) => a.part - b.part);
}

/** Removes all chunks of an import, those of uploads that broke off too; what is known of its parts stays. Safe to repeat. */
export async function removeChunksOf(database: Database, importId: string, progress?: () => void): Promise<void> {
  await deleteFound(chunksIn(database), ofImport(importId), progress);
}

/** Removes all content of an import. Safe to repeat. */
export async function removeContent(database: Database, importId: string): Promise<void> {
  await removeChunksOf(database, importId);
  await deleteFound(partsIn(database), ofImport(importId));
}
