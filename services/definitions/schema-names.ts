import { parseResourceKey, type ResourceKey } from '../../domain/write/resource.ts';
import { readSchemaDefinition } from '../../store/definitions/schema-definitions.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** Schema definition ids -> names, for messages. */
export type SchemaNames = ReadonlyMap<string, string>;

/** Names of the schema definitions of some resources; a deleted definition has none. */
export async function schemaNamesOf(database: Database, keys: Iterable<ResourceKey>): Promise<SchemaNames> {
  const ids = new Set<string>();
  for (const key of keys) ids.add(parseResourceKey(key).schemaDefinitionId);
  const names = new Map<string, string>();
  for (const id of ids) {
    const definition = await readSchemaDefinition(database, id);
    if (definition !== null) names.set(id, definition.name);
  }
  return names;
}
