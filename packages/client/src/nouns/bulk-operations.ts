import { DroverError } from '../errors.ts';
import { bodyOf, dataOf, signalOf } from '../transport/answers.ts';
import type { Http } from '../transport/http.ts';
import { pause } from '../transport/pause.ts';
import type { BatchFilter, BulkOperation, BulkPreview, BulkVerb, CallOptions, ListOptions } from '../types.ts';
import { PagedList } from './paged-list.ts';

/** Options of a wait for the end of a bulk operation. */
export interface BulkWaitOptions extends CallOptions {
  /** Called with each state that is seen, including the last one. */
  readonly onChange?: (state: BulkOperation) => void;
  /** Interval in which the status is requested, in ms. Default 1000. */
  readonly pollMs?: number;
}

const POLL_MS = 1_000;

/** Many batches at once, by a filter with at least one field. Every call @throws DroverError. */
export class BulkOperations {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** How many batches fit the filter now; nothing is changed. */
  async preview(verb: BulkVerb, filter: BatchFilter, options: CallOptions = {}): Promise<BulkPreview> {
    const data = await this.#send(verb, filter, true, options);
    if ('dryRun' in data) return data;
    throw new DroverError({
      status: 202,
      message: `the service has started bulk operation ${data.bulkOperationId} in place of a preview`,
    });
  }

  /** Cancels, suspends, resumes, retries or removes all batches that fit the filter now. Once it returns, it is certain to be carried out. */
  async start(verb: BulkVerb, filter: BatchFilter, options: CallOptions = {}): Promise<BulkOperation> {
    const data = await this.#send(verb, filter, false, options);
    if ('bulkOperationId' in data) return data;
    throw new DroverError({ status: 200, message: 'the service has answered a request with a preview of it' });
  }

  async #send(
    verb: BulkVerb,
    filter: BatchFilter,
    dryRun: boolean,
    options: CallOptions,
  ): Promise<BulkOperation | BulkPreview> {
    const init = { params: { query: dryRun ? { dryRun } : {} }, body: { filter }, ...signalOf(options) };
    return (await bodyOf(this.#http.POST(`/api/batches/${verb}`, init))).data;
  }

  /** Those of the tenant, newest first. */
  list({ signal, ...page }: ListOptions = {}): PagedList<BulkOperation> {
    return new PagedList((cursor) => {
      const query = { limit: 100, ...page, ...(cursor !== undefined && { cursor }) };
      return dataOf(this.#http.GET('/api/bulk-operations', { params: { query }, ...(signal && { signal }) }));
    });
  }

  get(bulkOperationId: string, options: CallOptions = {}): Promise<BulkOperation> {
    const params = { path: { bulkOperationId } };
    return dataOf(this.#http.GET('/api/bulk-operations/{bulkOperationId}', { params, ...signalOf(options) }));
  }

  /** Batches whose turn has not come are left as they are. A finished one is a 409. */
  cancel(bulkOperationId: string, options: CallOptions = {}): Promise<BulkOperation> {
    const params = { path: { bulkOperationId } };
    return dataOf(this.#http.POST('/api/bulk-operations/{bulkOperationId}/cancel', { params, ...signalOf(options) }));
  }

  /** Waits until it has finished, with any status. @throws the signal's reason once it is aborted. */
  async wait(
    bulkOperationId: string,
    { onChange, pollMs = POLL_MS, signal }: BulkWaitOptions = {},
  ): Promise<BulkOperation> {
    for (;;) {
      const state = await this.get(bulkOperationId, signal && { signal });
      onChange?.(state);
      if (state.completedAt !== undefined) return state;
      await pause(pollMs, signal);
    }
  }
}
