import type { SchemaDefinition } from '@drover/client';

const propertiesOf = (schema: unknown): Readonly<Record<string, unknown>> => {
  const { properties } = (schema ?? {}) as { properties?: unknown };
  return typeof properties === 'object' && properties !== null ? (properties as Record<string, unknown>) : {};
};

/** Fields that a column can be read as, the external id first: `a.b` is a field inside of another. */
export function fieldsOf({ schema, externalIdField }: Pick<SchemaDefinition, 'schema' | 'externalIdField'>): string[] {
  const fields = Object.entries(propertiesOf(schema)).flatMap(([name, property]) => {
    const inner = Object.keys(propertiesOf(property));
    return inner.length > 0 ? inner.map((each) => `${name}.${each}`) : [name];
  });
  return [externalIdField, ...fields.filter((field) => field !== externalIdField).sort()];
}
