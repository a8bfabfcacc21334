import { DroverError } from '../errors.ts';
import { bodyOf, dataOf, signalOf } from '../transport/answers.ts';
import type { Http } from '../transport/http.ts';
import type { StreamRequests } from '../transport/stream-requests.ts';
import type { Batch, BatchListOptions, CallOptions, Item, ItemListOptions, UndoPreview } from '../types.ts';
import { PagedList } from './paged-list.ts';
import { type StateSource, statesToTheEnd, type WaitOptions, waitFor } from './wait.ts';

/** Batches: their status, their items, and the control of running batches. Every call @throws DroverError. */
export class Batches {
  readonly #http: Http;
  readonly #streams: StreamRequests;

  constructor(http: Http, streams: StreamRequests) {
    this.#http = http;
    this.#streams = streams;
  }

  /**
   * The status of a batch.
   * @param options `includePendingDetails`: adds the missing references of pending items, in `pendingResources` (false).
   */
  get(batchId: string, options: CallOptions & { readonly includePendingDetails?: boolean } = {}): Promise<Batch> {
    const { includePendingDetails, ...call } = options;
    const query = includePendingDetails === undefined ? {} : { includePendingDetails };
    const params = { path: { batchId }, query };
    return dataOf(this.#http.GET('/api/batches/{batchId}', { params, ...signalOf(call) }));
  }

  /** Batches of the tenant, newest first. @param options filters; without filters all batches. */
  list({ signal, ...filter }: BatchListOptions = {}): PagedList<Batch> {
    return new PagedList((cursor) => {
      const query = { limit: 100, ...filter, ...(cursor !== undefined && { cursor }) };
      return dataOf(this.#http.GET('/api/batches', { params: { query }, ...(signal && { signal }) }));
    });
  }

  /** Items of a batch with their outcomes, in index order. */
  items(batchId: string, { signal, ...filter }: ItemListOptions = {}): PagedList<Item> {
    return new PagedList((cursor) => {
      const params = { path: { batchId }, query: { limit: 1000, ...filter, ...(cursor !== undefined && { cursor }) } };
      return dataOf(this.#http.GET('/api/batches/{batchId}/items', { params, ...(signal && { signal }) }));
    });
  }

  /**
   * Waits until a batch has finished, with any status, or fulfils `until`. Follows the batch's events, through lost
   * connections and restarts of the service; without a time limit except the `signal`.
   * @returns the batch in that state.
   * @throws DroverError if there is no such batch (any more), or it has finished without fulfilling `until`; the
   * signal's reason once it is aborted.
   */
  wait(batchId: string, options: WaitOptions = {}): Promise<Batch> {
    return waitFor(this.#source(batchId), options);
  }

  /**
   * The states of a batch from now on, at most 4 a second, the last one at its end. Continues if a stream ends early.
   * @throws DroverError if there is no such batch (any more); the signal's reason once it is aborted.
   */
  events(batchId: string, { signal }: CallOptions = {}): AsyncGenerator<Batch, void> {
    return statesToTheEnd(this.#source(batchId), signal);
  }

  #source(batchId: string): StateSource<Batch> {
    return {
      event: 'batch',
      get: (signal) => this.get(batchId, signal ? { signal } : {}),
      open: (lastEventId, signal) =>
        this.#streams.events(`/api/batches/${encodeURIComponent(batchId)}/events`, lastEventId, signal),
    };
  }

  /** Suspends the batch: it starts nothing new until it is resumed; deadlines continue to run. A finished batch is a 409. */
  suspend(batchId: string, options: CallOptions = {}): Promise<Batch> {
    return dataOf(this.#http.POST('/api/batches/{batchId}/suspend', pathTo(batchId, options)));
  }

  /** Resumes a suspended batch. A finished batch is a 409. */
  resume(batchId: string, options: CallOptions = {}): Promise<Batch> {
    return dataOf(this.#http.POST('/api/batches/{batchId}/resume', pathTo(batchId, options)));
  }

  /** Cancels the batch; applied items stay. A finished batch is a 409. */
  cancel(batchId: string, options: CallOptions = {}): Promise<Batch> {
    return dataOf(this.#http.POST('/api/batches/{batchId}/cancel', pathTo(batchId, options)));
  }

  /** Runs failed, expired and cancelled items again, in the same batch. A 409 if there is none, or the batch still runs. */
  retry(batchId: string, options: CallOptions = {}): Promise<Batch> {
    return dataOf(this.#http.POST('/api/batches/{batchId}/retry', pathTo(batchId, options)));
  }

  /** Takes back what a batch with `undoable` has changed, where nobody has changed it since. @returns the batch that does it. */
  async undo(batchId: string, options: CallOptions = {}): Promise<Batch> {
    const { data } = await bodyOf(this.#http.POST('/api/batches/{batchId}/undo', pathTo(batchId, options)));
    if ('batchId' in data) return data;
    throw new DroverError({ status: 200, message: 'the service has answered a request with a preview of it' });
  }

  /** What an undo of the batch would do now; nothing is stored. */
  async previewUndo(batchId: string, options: CallOptions = {}): Promise<UndoPreview> {
    const params = { path: { batchId }, query: { dryRun: true } };
    const call = this.#http.POST('/api/batches/{batchId}/undo', { params, ...signalOf(options) });
    const { data } = await bodyOf(call);
    if ('dryRun' in data) return data;
    throw new DroverError({
      status: 202,
      message: `the service has started batch ${data.batchId} in place of a preview`,
    });
  }

  /** Removes the batch, its items and its workflow for good; a running one is cancelled first. Resources stay. */
  async delete(batchId: string, options: CallOptions = {}): Promise<void> {
    await dataOf(this.#http.DELETE('/api/batches/{batchId}', pathTo(batchId, options)));
  }
}

const pathTo = (batchId: string, options: CallOptions) => ({ params: { path: { batchId } }, ...signalOf(options) });
