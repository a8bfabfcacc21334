import type { Resource, SchemaDefinition } from '@drover/client';

/** A value of a resource that names another. */
export interface Reference {
  readonly field: string;
  readonly schemaName: string;
  readonly externalId: string;
}

const REFERENCE = /^(?:reach|drover):schemas\/(.+)$/;

const targetOf = (property: unknown): string | undefined => {
  if (typeof property !== 'object' || property === null) return undefined;
  const { $ref, items } = property as { $ref?: unknown; items?: unknown };
  if (typeof $ref === 'string') return REFERENCE.exec($ref)?.[1];
  return targetOf(items);
};

/** References in the top-level fields of a resource, which is where most schemas have them. */
export function referencesOf(
  resource: Pick<Resource, 'data'>,
  { schema }: Pick<SchemaDefinition, 'schema'>,
): Reference[] {
  const properties = (schema.properties ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(properties).flatMap(([field, property]) => {
    const schemaName = targetOf(property);
    const value = resource.data[field];
    if (schemaName === undefined || value == null) return [];
    const ids = (Array.isArray(value) ? value : [value]).filter((id) => typeof id === 'string');
    return [...new Set(ids)].map((externalId) => ({ field, schemaName, externalId }));
  });
}
