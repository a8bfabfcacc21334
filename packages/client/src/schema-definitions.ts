import { dataOf, signalOf } from './answers.ts';
import type { Http } from './http.ts';
import { PagedList } from './paged-list.ts';
import type {
  CallOptions,
  ListOptions,
  NewSchemaDefinition,
  SchemaDefinition,
  SchemaDefinitionVersion,
} from './types.ts';

/** Schema definitions of a platform, by name, plural name or id. Where tokens are configured, for platform scope. Every call @throws DroverError. */
export class SchemaDefinitions {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Defines a type of resources. A name that is taken is a 409; what is wrong with the schema a 400 that names each place. */
  create(definition: NewSchemaDefinition, options: CallOptions = {}): Promise<SchemaDefinition> {
    return dataOf(this.#http.POST('/partner/schema-definitions', { body: definition, ...signalOf(options) }));
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

  /** Puts the next version in place. A 409 where stored resources would become invalid, or refer to nothing. */
  replace(nameOrId: string, version: SchemaDefinitionVersion, options: CallOptions = {}): Promise<SchemaDefinition> {
    return dataOf(
      this.#http.PUT('/partner/schema-definitions/{nameOrId}', { ...pathTo(nameOrId, options), body: version }),
    );
  }

  /** Deletes a definition that nothing uses; a 409 where something does. @returns what it was. */
  delete(nameOrId: string, options: CallOptions = {}): Promise<SchemaDefinition> {
    return dataOf(this.#http.DELETE('/partner/schema-definitions/{nameOrId}', pathTo(nameOrId, options)));
  }
}

const pathTo = (nameOrId: string, options: CallOptions) => ({ params: { path: { nameOrId } }, ...signalOf(options) });
