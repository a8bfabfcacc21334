import type { ItemError } from '../../domain/batch/outcome.ts';
import { parseResourceKey, type ResourceKey } from '../../domain/write/resource.ts';
import type { SchemaNames } from '../definitions/schema-names.ts';

function describe(key: ResourceKey, names: SchemaNames): string {
  const { schemaDefinitionId, externalId } = parseResourceKey(key);
  return `${names.get(schemaDefinitionId) ?? schemaDefinitionId} "${externalId}"`;
}

export function notFoundError(key: ResourceKey, names: SchemaNames): ItemError {
  return { code: 'not_found', message: `${describe(key, names)} does not exist` };
}

/** @param referrers survivors that refer to it, up to 10 of them. */
export function referencedError(key: ResourceKey, referrers: readonly ResourceKey[], names: SchemaNames): ItemError {
  const named = referrers.map((referrer) => describe(referrer, names));
  return { code: 'referenced', message: `${describe(key, names)} is referred to by ${named.join(', ')}` };
}
