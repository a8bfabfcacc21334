import type { JsonObject } from '../write/resource.ts';

/** Fields of an exported resource with its envelope, beside its data (`GET /api/resources/{schema}?envelope=true`). */
const ENVELOPE = ['id', 'schemaDefinitionId', 'resourceExternalId', 'versionNumber', 'createdAt', 'updatedAt'] as const;
const FIELDS = new Set<string>([...ENVELOPE, 'data', 'lastWrite']);

/**
 * The data of a row that is an exported resource with its envelope, so that an export can be imported as it is; null for any other row. No
 * resource looks like that by chance: it has these fields alone, and the external id once more in `data`.
 */
export function dataOfEnvelope(row: JsonObject, externalIdField: string): JsonObject | null {
  const names = Object.keys(row);
  if (!ENVELOPE.every((field) => Object.hasOwn(row, field)) || !names.every((name) => FIELDS.has(name))) return null;
  const { data, resourceExternalId } = row;
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return null;
  return Object.hasOwn(data, externalIdField) && data[externalIdField] === resourceExternalId ? data : null;
}
