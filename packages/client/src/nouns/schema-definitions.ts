import { dataOf, signalOf } from '../transport/answers.ts';
import type { Http } from '../transport/http.ts';
import type {
  CallOptions,
  ListOptions,
  NewSchemaDefinition,
  SchemaDefinition,
  SchemaDefinitionVersion,
} from '../types.ts';
import { PagedList } from './paged-list.ts';

/** Schema definitions of a platform, by name, plural name or id. Where tokens are configured, for platform scope. Every call @throws DroverError. */
export class SchemaDefinitions {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Defines a type of resources. A name that is taken is a 409; faults of the schema are a 400 that names each place. */
  create(definition: NewSchemaDefinition, options: CallOptions = {}): Promise<SchemaDefinition> {
    return dataOf(this.#http.POST('/partner/schema-definitions', { body: sent(definition), ...signalOf(options) }));
  }

  get(nameOrId: string, options: CallOptions = {}): Promise<SchemaDefinition> {
    return dataOf(this.#http.GET('/partner/schema-definitions/{nameOrId}', pathTo(nameOrId, options)));
  }

  /** All definitions, newest first. */
  list({ signal, ...page }: ListOptions = {}): PagedList<SchemaDefinition> {
    return new PagedList((cursor) => {
      const query = { limit: 100, ...page, ...(cursor !== undefined && { cursor }) };
      return dataOf(this.#http.GET('/partner/schema-definitions', { params: { query }, ...(signal && { signal }) }));
    });
  }

  /** Replaces a definition by its next version. A 409 if stored resources would become invalid, or refer to missing resources. */
  replace(nameOrId: string, version: SchemaDefinitionVersion, options: CallOptions = {}): Promise<SchemaDefinition> {
    return dataOf(
      this.#http.PUT('/partner/schema-definitions/{nameOrId}', { ...pathTo(nameOrId, options), body: sent(version) }),
    );
  }

  /** Deletes an unused definition; a 409 if it is used. @returns the deleted definition. */
  delete(nameOrId: string, options: CallOptions = {}): Promise<SchemaDefinition> {
    return dataOf(this.#http.DELETE('/partner/schema-definitions/{nameOrId}', pathTo(nameOrId, options)));
  }
}

const pathTo = (nameOrId: string, options: CallOptions) => ({ params: { path: { nameOrId } }, ...signalOf(options) });

/** The service checks that it is one of type object. */
const sent = <D extends { readonly schema: object }>({ schema, ...rest }: D) => ({
  ...rest,
  schema: schema as { type: 'object' },
});
