import { isUtf8 } from 'node:buffer';
import type { ItemError } from '../../domain/batch/outcome.ts';
import { counted } from '../../domain/counted.ts';
import { type CsvFormat, resourceText } from '../../domain/imports/csv.ts';
import { findFlaws, takeCensus } from '../../domain/json/source.ts';
import { MAX_BODY_PARTS, MAX_ROW_BYTES } from '../../domain/limits.ts';
import type { JsonObject } from '../../domain/write/resource.ts';
import { toItem } from '../../services/batches/new-item.ts';
import type { ImportDocument } from '../../store/imports/imports.ts';
import type { NewItem } from '../../store/items/item-pages.ts';
import type { ReadRow } from './read-rows.ts';

/** A row of an import as an item of a batch; a row that is malformed fails alone. The same row always makes the same item. */
export const rowItem = (
  row: ReadRow,
  { csv, externalIdField }: Pick<ImportDocument, 'csv' | 'externalIdField'>,
): NewItem => (csv === undefined ? ndjsonItem(row, externalIdField) : csvItem(row, csv, externalIdField));

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();

function csvItem({ bytes, line, cells, flaw }: ReadRow, csv: CsvFormat, externalIdField: string): NewItem {
  const sent = textOf(bytes);
  const malformed = (message: string): NewItem => ({ externalId: null, line, sent, faults: [fault(line, message)] });
  if (cells === undefined) return malformed(flaw ?? 'is not a record of CSV');
  if (cells.length !== csv.header.length)
    return malformed(`has ${counted(cells.length, 'cell')}, and the header ${csv.header.length}`);
  const body = resourceText(cells, csv);
  return { ...readItem(body, Buffer.from(body), line, externalIdField), line, sent };
}

function ndjsonItem({ bytes, line, isTooLong }: ReadRow, externalIdField: string): NewItem {
  const text = textOf(bytes);
  const malformed = (message: string): NewItem => ({
    externalId: null,
    line,
    sent: text,
    faults: [fault(line, message)],
  });
  if (isTooLong) return malformed(`is longer than ${MAX_ROW_BYTES} bytes`);
  if (!isUtf8(bytes)) return malformed('is not valid UTF-8');
  const item = readItem(text, bytes, line, externalIdField);
  return { ...item, line, ...(item.body === undefined && { sent: text }) };
}

/** A resource from its JSON text. */
function readItem(text: string, bytes: Uint8Array, line: number, externalIdField: string): NewItem {
  const malformed = (message: string): NewItem => ({ externalId: null, faults: [fault(line, message)] });
  const census = takeCensus(bytes, MAX_BODY_PARTS);
  if (census.parts > MAX_BODY_PARTS) return malformed(`holds more than ${MAX_BODY_PARTS} objects, arrays and members`);
  const json = parsed(text);
  if (json === undefined) return malformed('is not valid JSON');
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return malformed('is not a JSON object');
  return toItem(json as JsonObject, externalIdField, findFlaws(text, json, census)[0], text);
}

const fault = (line: number, message: string): ItemError => ({ code: 'malformed', message: `line ${line} ${message}` });

/** Undefined if it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
