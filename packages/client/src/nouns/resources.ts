import { DroverError } from '../errors.ts';
import { resourcesBody } from '../json/json-text.ts';
import type { components } from '../openapi.ts';
import { bodyOf, dataOf, signalOf } from '../transport/answers.ts';
import type { Http } from '../transport/http.ts';
import { randomKey } from '../transport/random-key.ts';
import type { StreamRequests } from '../transport/stream-requests.ts';
import type {
  AcceptedBatch,
  CallOptions,
  DeleteOptions,
  Deletion,
  DeletionPreview,
  ExportOptions,
  ListOptions,
  NewResource,
  PatchOptions,
  ReadOptions,
  Referrer,
  Resource,
  ResourceWithIncluded,
  StartOptions,
  UploadOptions,
  WritePreview,
} from '../types.ts';
import { MEDIA_TYPES } from '../types.ts';
import { PagedList } from './paged-list.ts';

/** Resources: calls that start batches of them, and calls that read them. A schema is given by name, plural name or id. Every call @throws DroverError. */
export class Resources {
  readonly #http: Http;
  readonly #streams: StreamRequests;

  constructor(http: Http, streams: StreamRequests) {
    this.#http = http;
    this.#streams = streams;
  }

  /**
   * Starts a batch that creates resources, or merges into those that exist. Once it returns, the batch and its items are durable.
   * @param resources 1 to 1000.
   */
  async upload(schema: string, resources: readonly NewResource[], options: UploadOptions = {}): Promise<AcceptedBatch> {
    const { signal, idempotencyKey: _, ...query } = options;
    const { data } = await bodyOf(
      this.#http.POST('/api/resources/{schemaDefinitionNameOrId}/batch', {
        params: { path: pathOf(schema), query, header: keyOf(options) },
        ...bodyOfAll(resources),
        ...(signal && { signal }),
      }),
    );
    return accepted(data);
  }

  /** The outcome that each item of such an upload would have now; nothing is stored. */
  async previewUpload(
    schema: string,
    resources: readonly NewResource[],
    options: UploadOptions = {},
  ): Promise<WritePreview> {
    const { signal, idempotencyKey: _, ...query } = options;
    const { data } = await bodyOf(
      this.#http.POST('/api/resources/{schemaDefinitionNameOrId}/batch', {
        params: { path: pathOf(schema), query: { ...query, dryRun: true } },
        ...bodyOfAll(resources),
        ...(signal && { signal }),
      }),
    );
    return preview(data);
  }

  /** Starts a batch that changes existing resources; patches of one resource are applied in their order. @param resources 1 to 1000. */
  async patch(schema: string, resources: readonly NewResource[], options: PatchOptions = {}): Promise<AcceptedBatch> {
    const { signal, idempotencyKey: _, ...query } = options;
    const { data } = await bodyOf(
      this.#http.PATCH('/api/resources/{schemaDefinitionNameOrId}/batch', {
        params: { path: pathOf(schema), query, header: keyOf(options) },
        ...bodyOfAll(resources),
        ...(signal && { signal }),
      }),
    );
    return accepted(data);
  }

  /** The outcome that each item of such a patch would have now; nothing is stored. */
  async previewPatch(
    schema: string,
    resources: readonly NewResource[],
    options: PatchOptions = {},
  ): Promise<WritePreview> {
    const { signal, idempotencyKey: _, ...query } = options;
    const { data } = await bodyOf(
      this.#http.PATCH('/api/resources/{schemaDefinitionNameOrId}/batch', {
        params: { path: pathOf(schema), query: { ...query, dryRun: true } },
        ...bodyOfAll(resources),
        ...(signal && { signal }),
      }),
    );
    return preview(data);
  }

  /** Starts a batch that deletes resources. A resource that a surviving one refers to is skipped, unless `cascade` deletes that one, too. */
  async delete(schema: string, deletion: Deletion, options: DeleteOptions = {}): Promise<AcceptedBatch> {
    const { signal, idempotencyKey: _, ...query } = options;
    const { data } = await bodyOf(
      this.#http.POST('/api/resources/{schemaDefinitionNameOrId}/batch/delete', {
        params: { path: pathOf(schema), query, header: keyOf(options) },
        body: deletionBody(deletion),
        ...(signal && { signal }),
      }),
    );
    return accepted(data);
  }

  /** Previews the deletes of such a batch; nothing is changed. */
  async previewDelete(schema: string, deletion: Deletion, options: CallOptions = {}): Promise<DeletionPreview> {
    const { data } = await bodyOf(
      this.#http.POST('/api/resources/{schemaDefinitionNameOrId}/batch/delete', {
        params: { path: pathOf(schema) },
        body: { ...deletionBody(deletion), dryRun: true },
        ...signalOf(options),
      }),
    );
    return preview(data);
  }

  /** One resource. @throws DroverError 404 if it does not exist. */
  get(schema: string, externalId: string, options: ReadOptions = {}): Promise<ResourceWithIncluded> {
    const { path, query } = memberOf(schema, externalId);
    const include = options.include?.join(',');
    return dataOf(
      this.#http.GET('/api/resources/{schemaDefinitionNameOrId}/{externalId}', {
        params: { path, query: { ...query, ...(include && { include }) } },
        ...signalOf(options),
      }),
    );
  }

  /** Resources of a schema, by external id. */
  list(schema: string, { signal, ...page }: ListOptions = {}): PagedList<Resource> {
    return new PagedList((cursor) =>
      dataOf(
        this.#http.GET('/api/resources/{schemaDefinitionNameOrId}', {
          params: { path: pathOf(schema), query: { limit: 100, ...page, ...(cursor !== undefined && { cursor }) } },
          ...(signal && { signal }),
        }),
      ),
    );
  }

  /**
   * All resources of a schema as a stream of newline-delimited JSON or CSV, by external id: what was exported can be imported as it is.
   * `parseNdjson` reads it as objects. @throws DroverError; so does the stream, if it breaks off.
   */
  export(schema: string, options: ExportOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const { format = 'ndjson', envelope, signal } = options;
    const path = `/api/resources/${encodeURIComponent(schema)}`;
    return this.#streams.content(path, { accept: MEDIA_TYPES[format], query: { envelope }, signal });
  }

  /** The resources that refer to a resource. */
  references(schema: string, externalId: string, { signal, ...page }: ListOptions = {}): PagedList<Referrer> {
    const { path, query } = memberOf(schema, externalId);
    return new PagedList((cursor) =>
      dataOf(
        this.#http.GET('/api/resources/{schemaDefinitionNameOrId}/{externalId}/references', {
          params: { path, query: { limit: 100, ...query, ...page, ...(cursor !== undefined && { cursor }) } },
          ...(signal && { signal }),
        }),
      ),
    );
  }
}

/** @throws DroverError if it is the answer to a dry run. */
function accepted(data: AcceptedBatch | { readonly dryRun: true }): AcceptedBatch {
  if ('batchId' in data) return data;
  throw new DroverError({ status: 200, message: 'the service has answered a request with a preview of it' });
}

/** @throws DroverError if it is the answer to a request that started a batch. */
function preview<P extends { readonly dryRun: true }>(data: AcceptedBatch | P): P {
  if ('dryRun' in data) return data;
  throw new DroverError({
    status: 202,
    message: `the service has started batch ${data.batchId} in place of a preview`,
  });
}

const pathOf = (schemaDefinitionNameOrId: string) => ({ schemaDefinitionNameOrId });

/** A client would resolve "." and ".." as parts of a path: such external ids are sent in the query. */
function memberOf(schema: string, externalId: string) {
  const isDots = externalId === '.' || externalId === '..';
  return {
    path: { schemaDefinitionNameOrId: schema, externalId: isDots ? '-' : externalId },
    query: isDots ? { externalId } : {},
  };
}

/** A key for each call makes its repetitions safe. */
function keyOf({ idempotencyKey = randomKey() }: Pick<StartOptions, 'idempotencyKey'>) {
  return idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey };
}

/** For TypeScript an object of an interface is no record, although its JSON is one. */
const bodyOfAll = (resources: readonly NewResource[]) => ({
  body: { resources: resources as Record<string, unknown>[] },
  bodySerializer: () => resourcesBody(resources),
});

/** The service checks that it has either ids or `deleteAll`. */
const deletionBody = ({ externalIds, ...how }: Deletion) =>
  ({ ...how, ...(externalIds && { externalIds: [...externalIds] }) }) as components['schemas']['BatchDelete'];
