import createHttpClient from 'openapi-fetch';
import {
  type ImportFileOptions,
  type ImportSource,
  importFile,
  type PreviewImportOptions,
  previewImport,
} from './bulk/import-file.ts';
import { type PreviewAllOptions, previewAll } from './bulk/preview-all.ts';
import { type UploadAllOptions, type UploadSummary, uploadAll } from './bulk/upload-all.ts';
import { BatchHandle } from './nouns/batch-handle.ts';
import { Batches } from './nouns/batches.ts';
import { BulkOperations } from './nouns/bulk-operations.ts';
import { Imports } from './nouns/imports.ts';
import { Resources } from './nouns/resources.ts';
import { SchemaDefinitions } from './nouns/schema-definitions.ts';
import { Webhooks } from './nouns/webhooks.ts';
import type { paths } from './openapi.ts';
import { dataOf, signalOf } from './transport/answers.ts';
import type { Http } from './transport/http.ts';
import { StreamRequests } from './transport/stream-requests.ts';
import { Transport, type TransportOptions } from './transport/transport.ts';
import type { CallOptions, ImportPreview, Installation, NewResource, PreviewedItem } from './types.ts';

export type { ImportFileOptions, ImportSource, PreviewImportOptions } from './bulk/import-file.ts';
export type { PreviewAllOptions } from './bulk/preview-all.ts';
export type { UploadAllOptions, UploadedBatch, UploadSummary } from './bulk/upload-all.ts';
export { DroverError } from './errors.ts';
export { JsonText } from './json/json-text.ts';
export { linesOf, parseNdjson, piecesOf } from './json/ndjson.ts';
export type { BatchHandle } from './nouns/batch-handle.ts';
export type { BulkWaitOptions } from './nouns/bulk-operations.ts';
export type { ImportWaitOptions } from './nouns/imports.ts';
export { type Page, PagedList } from './nouns/paged-list.ts';
export { isFinished, type WaitOptions } from './nouns/wait.ts';
export { bodyOf } from './transport/answers.ts';
export type { Fetch, RetryOptions } from './transport/transport.ts';
export type * from './types.ts';
export { verifyWebhook, type WebhookEvent, type WebhookRequest } from './webhooks.ts';

export interface ClientOptions extends TransportOptions {
  /** Address of the API, such as `http://127.0.0.1:8080`. A path in it is put before every path. */
  readonly url: string;
}

/** A client of one Drover, for one tenant. */
export class DroverClient {
  readonly batches: Batches;
  readonly bulkOperations: BulkOperations;
  readonly imports: Imports;
  readonly resources: Resources;
  readonly schemaDefinitions: SchemaDefinitions;
  readonly webhooks: Webhooks;
  /** Every endpoint of the OpenAPI document, typed, with the token, tenant, limits and retries of this client. */
  readonly http: Http;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
    const transport = new Transport(options);
    const streams = new StreamRequests(options.url, transport);
    this.http = createHttpClient<paths, 'application/json'>({
      baseUrl: options.url,
      fetch: (request) => transport.send(request),
    });
    this.batches = new Batches(this.http, streams);
    this.bulkOperations = new BulkOperations(this.http);
    this.imports = new Imports(this.http, streams);
    this.resources = new Resources(this.http, streams);
    this.schemaDefinitions = new SchemaDefinitions(this.http);
    this.webhooks = new Webhooks(this.http);
  }

  /** Versions, and the workers that are there; where tokens are configured, for platform scope. @throws DroverError */
  installation(options: CallOptions = {}): Promise<Installation> {
    return dataOf(this.http.GET('/partner/installation', signalOf(options)));
  }

  /** One batch by its id; nothing is requested. */
  batch(batchId: string): BatchHandle {
    return new BatchHandle(this.batches, batchId);
  }

  /**
   * Uploads any number of resources, in batches of up to 1000, some of them at work at a time, and waits for all. A service that is
   * restarted meanwhile is waited for; nothing is applied twice. @throws DroverError
   */
  uploadAll(
    schema: string,
    resources: AsyncIterable<NewResource> | Iterable<NewResource>,
    options: UploadAllOptions = {},
  ): Promise<UploadSummary> {
    return uploadAll(this, schema, resources, options);
  }

  /**
   * The outcome that each of any number of resources would have now; nothing is stored. They are decided in batches of up to 1000, each without the
   * others. @throws DroverError
   */
  previewAll(
    schema: string,
    resources: AsyncIterable<NewResource> | Iterable<NewResource>,
    options: PreviewAllOptions = {},
  ): AsyncGenerator<PreviewedItem, void> {
    return previewAll(this.resources, schema, resources, options);
  }

  /** What an import would make of the first rows of a file or stream: of 1000 at most. Nothing is stored. @throws DroverError; TypeError if there is no content, or no format */
  previewImport(source: ImportSource, options: PreviewImportOptions): Promise<ImportPreview> {
    return previewImport(this.imports, source, options);
  }

  /** Sends a file or stream as an import, in parts that are sent again if an answer is lost. @returns the id of the import. @throws DroverError */
  import(source: ImportSource, options: ImportFileOptions): Promise<string> {
    return importFile(this.imports, source, options);
  }

  /** The same client for another tenant: for tokens of platform scope, and for services without tokens. */
  forTenant(tenant: string): DroverClient {
    return new DroverClient({ ...this.#options, tenant });
  }
}

/** @param options only `url` has no default. */
export const createDrover = (options: ClientOptions): DroverClient => new DroverClient(options);
