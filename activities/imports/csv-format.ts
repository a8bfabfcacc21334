import { csvFormatOf } from '../../domain/imports/csv.ts';
import { recordsOf } from '../../domain/imports/csv-records.ts';
import { MAX_CSV_HEADER_BYTES } from '../../domain/limits.ts';
import { csvTargetOf } from '../../services/imports/csv-target.ts';
import { type ImportDocument, recordCsvFormat } from '../../store/imports/imports.ts';
import type { ActivityContext } from '../activity-context.ts';
import { StoredContent } from './stored-content.ts';

/**
 * An import of CSV with the way in which its rows are read, noted when it is cut for the first time: the request was refused if its header
 * has faults, and what a later version of the schema does not know fails the rows.
 * @returns null while the header is not there.
 */
export async function withCsvFormat(
  context: ActivityContext,
  imported: ImportDocument,
): Promise<ImportDocument | null> {
  const { database, schemas } = context;
  const { _id, format, csv, csvOptions = {}, cut } = imported;
  if (format !== 'csv' || csv !== undefined) return imported;
  const content = new StoredContent(database, imported, cut);
  for await (const { firstLine, bytes, end, nextLine, flaw } of recordsOf(content, 1, MAX_CSV_HEADER_BYTES)) {
    const target = await csvTargetOf(schemas, imported);
    const read = csvFormatOf(
      flaw === undefined ? bytes : firstLine,
      csvOptions,
      target && { ...target, ignoreUnknownFields: true },
    ).format;
    return recordCsvFormat(database, _id, read, { ...cut, ...end, line: nextLine });
  }
  return content.isComplete ? imported : null;
}
