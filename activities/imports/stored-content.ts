import type { Place } from '../../domain/imports/import.ts';
import type { Chunk, Content } from '../../domain/imports/lines.ts';
import { type PartDocument, readChunk, readPart, type Upload } from '../../store/imports/import-content.ts';
import type { ImportDocument } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { showProgress } from '../control/show-progress.ts';

/**
 * The content of an import from a place on, as far as it is stored without a gap. What is stored later is not missed: it is read from the
 * same place the next time.
 */
export class StoredContent implements Content {
  readonly #database: Database;
  readonly #imported: ImportDocument;
  readonly #from: Place;
  isComplete = false;

  /** @param imported as it was read before: if it is sealed, all of its content is stored. */
  constructor(database: Database, imported: ImportDocument, from: Place) {
    this.#database = database;
    this.#imported = imported;
    this.#from = from;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void> {
    const { _id: importId, sealed, parts = 0, removedUploads = [] } = this.#imported;
    let { chunk, offset } = this.#from;
    for (let part = this.#from.part; !sealed || part <= parts; part++) {
      const found = await readPart(this.#database, importId, part);
      const stored = found === null || removedUploads.includes(found.upload) ? null : found;
      const upload = this.#uploadOf(part, stored);
      if (upload === undefined) return;
      for (; stored === null || chunk < stored.chunks; chunk++) {
        showProgress();
        const bytes = await this.#chunkAt({ importId, part, upload }, chunk, stored);
        if (bytes === null) return;
        if (offset < bytes.length) yield { part, chunk, offset, bytes: bytes.subarray(offset) };
        offset = 0;
      }
      chunk = 0;
    }
    this.isComplete = true;
  }

  /** A part that is arriving in the only request of its import is read while it arrives. */
  #uploadOf(part: number, stored: PartDocument | null): string | undefined {
    if (stored !== null) return stored.upload;
    return part === 1 && !this.#imported.sealed ? this.#imported.upload : undefined;
  }

  /** @throws if a part that is whole lacks a chunk: it is removed only after it was cut. */
  async #chunkAt(upload: Upload, chunk: number, stored: PartDocument | null): Promise<Uint8Array | null> {
    const bytes = await readChunk(this.#database, upload, chunk);
    if (bytes === null && stored !== null)
      throw new Error(`import ${upload.importId} has no chunk ${chunk} of part ${upload.part}`);
    return bytes;
  }
}
