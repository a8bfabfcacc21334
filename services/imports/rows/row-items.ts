import { isUtf8 } from 'node:buffer';
import type { ItemError } from '../../../domain/batch/outcome.ts';
import { type CsvFormat, resourceText, SCHEMA_COLUMN } from '../../../domain/imports/csv.ts';
import { dataOfEnvelope } from '../../../domain/imports/envelope.ts';
import type { RowGroup } from '../../../domain/imports/row-group.ts';
import { parseJson } from '../../../domain/json/parse.ts';
import { quoted } from '../../../domain/json/shortened.ts';
import { findFlaws, type JsonFlaw, takeCensus } from '../../../domain/json/source.ts';
import { MAX_BODY_PARTS, MAX_ROW_BYTES } from '../../../domain/limits.ts';
import { fieldAt } from '../../../domain/schema/json-pointer.ts';
import { externalIdOf } from '../../../domain/write/external-id.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';
import type { ImportDocument } from '../../../store/imports/imports.ts';
import type { NewItem } from '../../../store/items/item-pages.ts';
import { toItem } from '../../batches/new-item.ts';
import { schemaNameIn } from './mixed-rows.ts';
import type { ReadRow } from './read-rows.ts';

/** How the rows of a batch are read. */
interface RowTarget {
  readonly csv: CsvFormat | undefined;
  readonly externalIdField: string;
  /** A row names a resource; its other fields are not read. */
  readonly isDelete: boolean;
  /** Each row names its schema definition; false of one that names none that there is. */
  readonly isNamed?: boolean;
}

/** Of which schema definition a batch is, and how its rows are read. @param group where rows name their schema definitions. */
export function batchTargetOf(
  {
    csv,
    options,
    schemaDefinitionId = '',
    schemaName = '',
    externalIdField = '',
  }: Pick<ImportDocument, 'csv' | 'options' | 'schemaDefinitionId' | 'schemaName' | 'externalIdField'>,
  group: RowGroup | undefined,
): Pick<RowGroup, 'schemaDefinitionId' | 'schemaName'> & { readonly target: RowTarget } {
  const isDelete = options.operation === 'delete';
  if (group === undefined) return { schemaDefinitionId, schemaName, target: { csv, externalIdField, isDelete } };
  const isNamed = group.schemaDefinitionId !== '';
  const own = csv && { ...csv, columns: group.columns ?? [] };
  return { ...group, target: { csv: own, externalIdField: group.externalIdField, isDelete, isNamed } };
}

/** A row of an import as an item of a batch; a row that is malformed fails alone. The same row always makes the same item. */
export function rowItem(row: ReadRow, target: RowTarget): NewItem {
  const sent = textOf(row.bytes);
  const { line } = row;
  const isJson = target.csv === undefined;
  const read = isJson ? ndjsonItem(row, sent, target) : csvItem(row, target.csv, target);
  if ('fault' in read) return malformed(row, sent, read.fault, isJson && read.isJson === true);
  if (target.isNamed === false) return nameless(row, sent, target.csv);
  // most rows of JSON are the text of their resource
  return { ...read.item, line, ...(read.item.body !== sent && { sent, isSentJson: isJson }) };
}

/** A row that is sound, but for the schema definition that it names. */
function nameless(row: ReadRow, sent: string, csv: CsvFormat | undefined): NewItem {
  const { line } = row;
  const name = schemaNameIn(row, csv);
  if (name === null) return malformed(row, sent, 'names no schema', csv === undefined);
  const message = `line ${line}: there is no schema definition ${quoted(name)}`;
  return { externalId: null, line, sent, isSentJson: csv === undefined, faults: [{ code: 'not_found', message }] };
}

const malformed = ({ line }: ReadRow, sent: string, message: string, isSentJson: boolean): NewItem => {
  const fault: ItemError = { code: 'malformed', message: `line ${line} ${message}` };
  return { externalId: null, line, sent, isSentJson, faults: [fault] };
};

/** @see NewItem.isSentJson for `isJson` */
type Read = { readonly item: NewItem } | { readonly fault: string; readonly isJson?: true };

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();

function csvItem({ cells, flaw }: ReadRow, csv: CsvFormat, target: RowTarget): Read {
  if (cells === undefined) return { fault: flaw ?? 'is not a record of CSV' };
  if (target.isNamed === false) return { item: { externalId: null } };
  const resource = resourceText(cells, csv.columns);
  if ('fault' in resource) return resource;
  return readItem(resource.text, Buffer.from(resource.text), target);
}

function ndjsonItem({ bytes, isTooLong }: ReadRow, text: string, target: RowTarget): Read {
  if (isTooLong) return { fault: `is longer than ${MAX_ROW_BYTES} bytes` };
  if (!isUtf8(bytes)) return { fault: 'is not valid UTF-8' };
  return readItem(text, bytes, target);
}

/** An item from the JSON text of a row. */
function readItem(text: string, bytes: Uint8Array, target: RowTarget): Read {
  const census = takeCensus(bytes, MAX_BODY_PARTS);
  if (census.parts > MAX_BODY_PARTS) return { fault: `holds more than ${MAX_BODY_PARTS} objects, arrays and members` };
  const json = parsed(text);
  if (json === undefined) return { fault: 'is not valid JSON' };
  const read = itemOf(json, text, findFlaws(text, json, census)[0], target);
  return 'fault' in read ? { ...read, isJson: true } : read;
}

function itemOf(json: unknown, text: string, flaw: JsonFlaw | undefined, target: RowTarget): Read {
  const { csv, externalIdField, isDelete, isNamed } = target;
  const isInside = csv === undefined && isNamed !== undefined;
  const inner = isInside ? resourceIn(json) : { resource: json };
  if ('fault' in inner) return inner;
  const { resource } = inner;
  // a row that could be read in two ways deletes nothing
  if (isDelete && flaw !== undefined) return { fault: `is in doubt: ${quoted(fieldAt(flaw.path))} ${flaw.message}` };
  if (isDelete && typeof resource === 'string') return namedBy({ [externalIdField]: resource }, externalIdField);
  if (!isObject(resource))
    return { fault: isDelete ? 'is neither a string nor a JSON object' : 'is not a JSON object' };
  if (isDelete) return namedBy(resource, externalIdField);
  const isEnveloped = dataOfEnvelope(resource, externalIdField) !== null;
  if (!isInside && !isEnveloped) return { item: toItem(resource, externalIdField, flaw, text) };
  const path = [...(isInside ? ['resource'] : []), ...(isEnveloped ? ['data'] : [])];
  return { item: innerItem(text, path, externalIdField, flaw) };
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The resource of a row that names its schema definition. */
function resourceIn(row: unknown): { readonly resource: unknown } | { readonly fault: string } {
  if (!isObject(row)) return { fault: 'is not a JSON object' };
  const other = Object.keys(row).find((name) => name !== SCHEMA_COLUMN && name !== 'resource');
  if (other !== undefined) return { fault: `has a field ${quoted(other)} beside "schema" and "resource"` };
  return Object.hasOwn(row, 'resource') ? { resource: row.resource } : { fault: 'has no "resource"' };
}

/** The resource that a row of a delete names, by its external id alone. */
function namedBy(row: JsonObject, externalIdField: string): Read {
  return { item: externalIdOf(dataOfEnvelope(row, externalIdField) ?? row, externalIdField) };
}

/** A resource that is inside of a row; the order of its names stays. A flaw of what is around it is one of the row. */
function innerItem(
  text: string,
  path: readonly string[],
  externalIdField: string,
  flaw: JsonFlaw | undefined,
): NewItem {
  let inner = parseJson(text) as JsonObject;
  for (const step of path) inner = inner[step] as JsonObject;
  const isInside = flaw !== undefined && path.every((step, at) => flaw.path[at] === step);
  return toItem(inner, externalIdField, isInside ? { ...flaw, path: flaw.path.slice(path.length) } : flaw);
}

/** Undefined if it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
