import { createHash } from 'node:crypto';
import type { ReferenceField } from '../../domain/schema/references.ts';
import type { LoadedSchema, SchemaCatalog } from '../definitions/schema-catalog.ts';

/** Length of the hash that names references, in digits. */
const LINKS_DIGITS = 16;

/** Fields that refer to resources of the same schema definition. */
export async function fieldsOfOwnKind(
  schemas: SchemaCatalog,
  { definition, compiled }: LoadedSchema,
): Promise<ReferenceField[]> {
  const bound = await schemas.bind(
    definition,
    compiled.referenceFields.map(({ target }) => target),
  );
  return compiled.referenceFields.filter(({ target }) => bound.get(target.toLowerCase())?.id === definition.id);
}

/**
 * Names the references that decide how the items of a batch depend on each other: if two versions of a definition have the same name,
 * the plan by one is right for the other.
 */
export function linksOf(ownKind: readonly ReferenceField[]): string {
  if (ownKind.length === 0) return '';
  const paths = ownKind.map(({ path }) => JSON.stringify(path)).sort();
  return createHash('sha256').update(JSON.stringify(paths)).digest('hex').slice(0, LINKS_DIGITS);
}
