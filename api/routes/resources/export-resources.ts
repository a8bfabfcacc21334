import { Readable } from 'node:stream';
import { csvCell, csvLine } from '../../../domain/csv/cell.ts';
import { type Column, columnsOf, valuesIn } from '../../../domain/csv/columns.ts';
import { ENVELOPE_COLUMNS } from '../../../domain/imports/csv.ts';
import { exactJson } from '../../../domain/json/exact.ts';
import type { SchemaDefinition } from '../../../domain/schema/definition.ts';
import type { Resource } from '../../../domain/write/resource.ts';
import { allResources } from '../../../isolation/resources/resource-pages.ts';
import { type ResourceDocument, toResource } from '../../../store/resources.ts';
import type { ApiContext } from '../../http/context.ts';
import { CSV, type NDJSON, ndjsonLine, streamAll } from '../../http/streams.ts';
import { toAnswer } from './resource-answer.ts';

/**
 * All resources of a schema definition, as a stream: their data, in a form that can be imported as it is.
 * @param hasEnvelope whether id, version and dates are in it too.
 */
export function exportResources(
  c: ApiContext,
  definition: SchemaDefinition,
  type: typeof NDJSON | typeof CSV,
  hasEnvelope: boolean,
): Response {
  const columns = columnsOf(definition.schema, definition.externalIdField);
  const [header, toText] =
    type === CSV
      ? ([headerOf(columns, hasEnvelope), csvOf(columns, hasEnvelope)] as const)
      : (['', ndjsonOf(hasEnvelope)] as const);
  return streamAll(c, type, 'resources', () =>
    Readable.from(texts(c, definition.id, header, toText), { highWaterMark: 1 }),
  );
}

/** A text for each part that is read: the next part is read once the reader has taken this one. */
async function* texts(
  c: ApiContext,
  schemaDefinitionId: string,
  header: string,
  toText: (resource: Resource) => string,
): AsyncGenerator<Buffer> {
  if (header !== '') yield Buffer.from(header);
  const textOf = (document: ResourceDocument): string => toText(toResource(document));
  for await (const part of allResources(c.var.services.database, c.var.scope, schemaDefinitionId)) {
    if (part.length > 0) yield Buffer.from(part.map(textOf).join(''));
  }
}

const ndjsonOf =
  (hasEnvelope: boolean) =>
  (resource: Resource): string =>
    ndjsonLine(exactJson(hasEnvelope ? toAnswer(resource) : resource.data));

const headerOf = (columns: readonly Column[], hasEnvelope: boolean): string =>
  csvLine([...columns.map(({ name }) => csvCell(name)), ...(hasEnvelope ? ENVELOPE_COLUMNS.map(csvCell) : [])]);

const csvOf =
  (columns: readonly Column[], hasEnvelope: boolean) =>
  (resource: Resource): string => {
    const { id, versionNumber, createdAt, updatedAt } = toAnswer(resource);
    const envelope = hasEnvelope ? [id, versionNumber, createdAt, updatedAt] : [];
    return csvLine([...valuesIn(resource.data, columns), ...envelope].map(csvCell));
  };
