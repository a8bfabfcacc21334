import type { Scope } from '../../domain/batch/scope.ts';
import { MAX_INCLUDED, MAX_REFERENCES } from '../../domain/limits.ts';
import { referencesIn } from '../../domain/write/references-in.ts';
import { type Resource, type ResourceKey, resourceKey } from '../../domain/write/resource.ts';
import { resourcesBeside } from '../../isolation/resources/resource-pages.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { toResource } from '../../store/resources.ts';
import type { LoadedSchema, SchemaCatalog } from '../definitions/schema-catalog.ts';

/** Resources that another one refers to. */
interface Included {
  /** The first of them that exist and fit in an answer. */
  readonly included: readonly Resource[];
  /** How many different ones it refers to. */
  readonly includedTotal: number;
}

/** Top-level fields of a schema that are references, or contain some. */
export const referringFields = ({ compiled }: LoadedSchema): string[] => [
  ...new Set(compiled.referenceFields.flatMap(({ path: [first] }) => (typeof first === 'string' ? [first] : []))),
];

/** The resources that some fields of a resource refer to, each once. @param fields of `referringFields`. */
export async function includedResources(
  { database, schemas }: { readonly database: Database; readonly schemas: SchemaCatalog },
  scope: Scope,
  schema: LoadedSchema,
  resource: Resource,
  fields: ReadonlySet<string>,
): Promise<Included> {
  const wanted = schema.compiled.referenceFields.filter(({ path: [first] }) => fields.has(String(first)));
  const references = referencesIn(wanted, resource.data).slice(0, MAX_REFERENCES);
  const bound = await schemas.bind(
    schema.definition,
    wanted.map(({ target }) => target),
  );
  const keys = new Set<ResourceKey>();
  for (const { target, externalId } of references) {
    const definition = bound.get(target.toLowerCase());
    if (definition !== undefined) keys.add(resourceKey(scope, definition.id, externalId));
  }
  const documents = await resourcesBeside(database, resource, [...keys].slice(0, MAX_INCLUDED));
  return { included: documents.map(toResource), includedTotal: keys.size };
}
