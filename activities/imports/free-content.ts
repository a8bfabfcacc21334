import { readPart, removeChunks } from '../../store/imports/import-content.ts';
import { type ImportDocument, recordFreed } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** Chunks that are removed at a time: fewer are kept until there are more, or until the end. */
const CHUNKS_AT_ONCE = 16;

/** Removes content whose rows are batches. Safe to repeat; what a crash leaves is removed by the next call, or with the import. */
export async function freeContent(database: Database, imported: ImportDocument): Promise<void> {
  const { _id: importId, cut, freed = { part: 1, chunk: 0 } } = imported;
  if (freed.part === cut.part && cut.chunk - freed.chunk < CHUNKS_AT_ONCE && !cut.isAtEnd) return;
  const upTo = cut.isAtEnd
    ? { part: (imported.parts ?? cut.part) + 1, chunk: 0 }
    : { part: cut.part, chunk: cut.chunk };
  for (let { part, chunk } = freed; part < upTo.part || (part === upTo.part && chunk < upTo.chunk); part++, chunk = 0) {
    const stored = await readPart(database, importId, part);
    const upload = stored?.upload ?? imported.upload;
    const end = part === upTo.part ? upTo.chunk : stored?.chunks;
    if (upload !== undefined && end !== undefined) await removeChunks(database, { importId, part, upload }, chunk, end);
  }
  if (freed.part !== upTo.part || freed.chunk !== upTo.chunk) await recordFreed(database, importId, upTo);
}
