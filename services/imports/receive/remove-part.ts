import { DroverError } from '../../../domain/errors.ts';
import { MAX_REMOVED_PARTS } from '../../../domain/limits.ts';
import { type PartDocument, readPart, removePart } from '../../../store/imports/import-content.ts';
import { type ImportDocument, readImport, recordPartRemoved } from '../../../store/imports/imports.ts';
import type { Database } from '../../../store/mongodb/database.ts';

/**
 * A part as it counts. One that was removed, and whose record a crash has left, is removed now, so that the part can be sent again.
 * @param imported as it is now.
 */
export async function partThatCounts(
  database: Database,
  { _id: importId, removedUploads = [] }: Pick<ImportDocument, '_id' | 'removedUploads'>,
  part: number,
): Promise<PartDocument | null> {
  const found = await readPart(database, importId, part);
  if (found === null || !removedUploads.includes(found.upload)) return found;
  await removePart(database, { importId, part, upload: found.upload }, found.chunks);
  return null;
}

/**
 * Removes a part of an import, so that other content can be sent under its number, or none. What a crash leaves of it is removed when the part is
 * sent again, or at the end of the import.
 * @throws DroverError `not_found` if it is not there; `operation_not_allowed` if rows of it are in batches, or the import takes no parts any more.
 */
export async function removeSentPart(database: Database, imported: ImportDocument, part: number): Promise<void> {
  const { _id: importId, removedUploads = [] } = imported;
  const refused = (why: string): DroverError => new DroverError('operation_not_allowed', why);
  const found = await partThatCounts(database, imported, part);
  if (found === null) throw new DroverError('not_found', `part ${part} is not stored`);
  if (removedUploads.length >= MAX_REMOVED_PARTS)
    throw refused(`${MAX_REMOVED_PARTS} parts of the import were removed before`);
  const { upload, bytes, chunks } = found;
  if ((await recordPartRemoved(database, importId, { part, upload, bytes })) === null) {
    const now = await readImport(database, importId);
    if (now?.removedUploads?.includes(upload)) throw new DroverError('not_found', `part ${part} is not stored`);
    if (now?.sealed) throw refused('the import is sealed');
    if (now?.cancelRequested) throw refused('the import is cancelled');
    throw refused(`rows of part ${part} are carried out already`);
  }
  await removePart(database, { importId, part, upload }, chunks);
}
