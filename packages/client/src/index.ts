import createHttpClient from 'openapi-fetch';
import { Batches } from './batches.ts';
import type { Http } from './http.ts';
import type { paths } from './openapi.ts';
import { Resources } from './resources.ts';
import { SchemaDefinitions } from './schema-definitions.ts';
import { Transport, type TransportOptions } from './transport.ts';

export { bodyOf } from './answers.ts';
export { DroverError } from './errors.ts';
export { type Page, PagedList } from './paged-list.ts';
export type { Fetch, RetryOptions } from './transport.ts';
export type * from './types.ts';
export { isFinished, type WaitOptions } from './wait.ts';

export interface ClientOptions extends TransportOptions {
  /** Address of the API, such as `http://127.0.0.1:8080`. A path in it is put before every path. */
  readonly baseUrl: string;
}

/** A client of one Drover, for one tenant. */
export class DroverClient {
  readonly batches: Batches;
  readonly resources: Resources;
  readonly schemaDefinitions: SchemaDefinitions;
  /** Every endpoint of the OpenAPI document, typed, with the token, tenant, limits and retries of this client. */
  readonly http: Http;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
    const transport = new Transport(options);
    this.http = createHttpClient<paths, 'application/json'>({
      baseUrl: options.baseUrl,
      fetch: (request) => transport.send(request),
    });
    this.batches = new Batches(this.http, (batchId, lastEventId, signal) => {
      const url = `${options.baseUrl.replace(/\/$/, '')}/api/batches/${encodeURIComponent(batchId)}/events`;
      const headers = {
        accept: 'text/event-stream',
        ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      };
      return transport.open(new Request(url, { headers, signal }));
    });
    this.resources = new Resources(this.http);
    this.schemaDefinitions = new SchemaDefinitions(this.http);
  }

  /** The same client for another tenant: for tokens of platform scope, and for services without tokens. */
  forTenant(tenant: string): DroverClient {
    return new DroverClient({ ...this.#options, tenant });
  }
}

/** @param options only `baseUrl` has no default. */
export const createClient = (options: ClientOptions): DroverClient => new DroverClient(options);
