import { DroverError } from '../errors.ts';
import { bodyOf, dataOf, signalOf } from '../transport/answers.ts';
import type { Http } from '../transport/http.ts';
import { pause } from '../transport/pause.ts';
import type { StreamRequests } from '../transport/stream-requests.ts';
import {
  type Batch,
  type BulkOperation,
  type CallOptions,
  type ContentFormat,
  type Import,
  type ImportListOptions,
  type ImportOptions,
  type ImportPart,
  type ImportPreview,
  type ImportResultOptions,
  type ImportUndoPreview,
  type ListOptions,
  MEDIA_TYPES,
} from '../types.ts';
import { PagedList } from './paged-list.ts';
import { isFinished, statesToTheEnd } from './wait.ts';

/** Options of a wait for the end of an import. */
export interface ImportWaitOptions extends CallOptions {
  /** Called with each state that is seen, including the last one. */
  readonly onChange?: (state: Import) => void;
  /** Interval in which the status is requested, in ms. Default 1000. */
  readonly pollMs?: number;
}

const POLL_MS = 1_000;

/** Imports: files of any size, carried out as batches. Every call @throws DroverError. */
export class Imports {
  readonly #http: Http;
  readonly #streams: StreamRequests;

  constructor(http: Http, streams: StreamRequests) {
    this.#http = http;
    this.#streams = streams;
  }

  /** Starts an import whose content comes in parts; `drover.import` sends those of a file. @returns its id. */
  async start(format: ContentFormat, options: ImportOptions & CallOptions): Promise<string> {
    const { columns, signal, ...rest } = options;
    const query = { ...rest, format, ...(columns && { columns: JSON.stringify(columns) }) };
    const { data } = await bodyOf(this.#http.POST('/api/imports', { params: { query }, ...(signal && { signal }) }));
    if ('importId' in data) return data.importId;
    throw new DroverError({ status: 200, message: 'the service has answered a request with a preview of it' });
  }

  /** What such an import would make of the first rows of its content; nothing is stored. `drover.previewImport` sends those of a file. */
  async preview(
    format: ContentFormat,
    bytes: Uint8Array,
    options: ImportOptions & CallOptions,
  ): Promise<ImportPreview> {
    const { columns, signal, ...rest } = options;
    const query = { ...rest, ...(columns && { columns: JSON.stringify(columns) }), dryRun: true };
    const sent = { contentType: MEDIA_TYPES[format], bytes, query, signal };
    const answer = await this.#streams.send('POST', '/api/imports', sent);
    if (!answer.ok) throw DroverError.ofAnswer(answer, await answer.json().catch(() => null));
    const { data } = (await answer.json()) as { data: ImportPreview | { readonly importId: string } };
    if ('dryRun' in data) return data;
    throw new DroverError({
      status: 202,
      message: `the service has started import ${data.importId} in place of a preview`,
    });
  }

  /** Sends one part, of at most 64 MiB; from 1 on. The same content again changes nothing, so a part is sent again if its answer is lost. */
  async sendPart(
    importId: string,
    part: number,
    { format, bytes, signal }: CallOptions & { readonly format: ContentFormat; readonly bytes: Uint8Array },
  ): Promise<void> {
    const path = `/api/imports/${encodeURIComponent(importId)}/parts/${part}`;
    const answer = await this.#streams.send('PUT', path, { contentType: MEDIA_TYPES[format], bytes, signal });
    if (!answer.ok) throw DroverError.ofAnswer(answer, await answer.json().catch(() => null));
  }

  /** Removes a part that was sent by mistake. A 409 if rows of it are carried out already. */
  async removePart(importId: string, part: number, { signal }: CallOptions = {}): Promise<void> {
    const params = { path: { importId, part: String(part) } };
    await dataOf(this.#http.DELETE('/api/imports/{importId}/parts/{part}', { params, ...(signal && { signal }) }));
  }

  /** The parts that are stored, by number, with their sizes and SHA-256. */
  parts(importId: string, { signal, ...page }: ListOptions = {}): PagedList<ImportPart> {
    return new PagedList((cursor) => {
      const params = { path: { importId }, query: { limit: 1000, ...page, ...(cursor !== undefined && { cursor }) } };
      return dataOf(this.#http.GET('/api/imports/{importId}/parts', { params, ...(signal && { signal }) }));
    });
  }

  /** All parts are sent. A 409 names parts that are missing. */
  seal(importId: string, parts: number, options: CallOptions = {}): Promise<Import> {
    return dataOf(this.#http.POST('/api/imports/{importId}/seal', { ...pathTo(importId, options), body: { parts } }));
  }

  get(importId: string, options: CallOptions = {}): Promise<Import> {
    return dataOf(this.#http.GET('/api/imports/{importId}', pathTo(importId, options)));
  }

  /** Imports of the tenant, newest first. */
  list({ signal, ...filter }: ImportListOptions = {}): PagedList<Import> {
    return new PagedList((cursor) => {
      const query = { limit: 100, ...filter, ...(cursor !== undefined && { cursor }) };
      return dataOf(this.#http.GET('/api/imports', { params: { query }, ...(signal && { signal }) }));
    });
  }

  /** The batches of an import, in the order of its rows. */
  batches(importId: string, { signal, ...page }: ListOptions = {}): PagedList<Batch> {
    return new PagedList((cursor) => {
      const query = { limit: 100, ...page, ...(cursor !== undefined && { cursor }) };
      return dataOf(
        this.#http.GET('/api/imports/{importId}/batches', {
          params: { path: { importId }, query },
          ...(signal && { signal }),
        }),
      );
    });
  }

  /** The rows as they were sent, with their outcomes, in the format of the file: `parseNdjson` reads newline-delimited JSON as objects. */
  results(importId: string, { signal, status }: ImportResultOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const path = `/api/imports/${encodeURIComponent(importId)}/results`;
    return this.#streams.content(path, { accept: '*/*', query: { status }, signal });
  }

  /**
   * The states of an import from now on, at most 4 a second, the last one at its end. Continues if a stream ends early.
   * @throws DroverError if there is no such import (any more); the signal's reason once it is aborted.
   */
  events(importId: string, { signal }: CallOptions = {}): AsyncGenerator<Import, void> {
    const path = `/api/imports/${encodeURIComponent(importId)}/events`;
    return statesToTheEnd(
      {
        event: 'import',
        get: (until) => this.get(importId, until ? { signal: until } : {}),
        open: (lastEventId, until) => this.#streams.events(path, lastEventId, until),
      },
      signal,
    );
  }

  /** Waits until an import has finished, with any status. @throws the signal's reason once it is aborted. */
  async wait(importId: string, { onChange, pollMs = POLL_MS, signal }: ImportWaitOptions = {}): Promise<Import> {
    for (;;) {
      const state = await this.get(importId, signalOf({ ...(signal && { signal }) }));
      onChange?.(state);
      if (isFinished(state)) return state;
      await pause(pollMs, signal);
    }
  }

  /** Cuts and applies nothing more until resumed. A finished import is a 409. */
  suspend(importId: string, options: CallOptions = {}): Promise<Import> {
    return dataOf(this.#http.POST('/api/imports/{importId}/suspend', pathTo(importId, options)));
  }

  resume(importId: string, options: CallOptions = {}): Promise<Import> {
    return dataOf(this.#http.POST('/api/imports/{importId}/resume', pathTo(importId, options)));
  }

  /** What was applied stays. */
  cancel(importId: string, options: CallOptions = {}): Promise<Import> {
    return dataOf(this.#http.POST('/api/imports/{importId}/cancel', pathTo(importId, options)));
  }

  /** Runs failed, expired and cancelled rows again, and rows that a cancelled import has not read. */
  retry(importId: string, options: CallOptions = {}): Promise<Import> {
    return dataOf(this.#http.POST('/api/imports/{importId}/retry', pathTo(importId, options)));
  }

  /** Takes back what an import with `undoable` has changed, batch after batch. @returns the bulk operation that does it: `drover.bulkOperations.wait` follows it. */
  async undo(importId: string, options: CallOptions = {}): Promise<BulkOperation> {
    const { data } = await bodyOf(this.#http.POST('/api/imports/{importId}/undo', pathTo(importId, options)));
    if ('bulkOperationId' in data) return data;
    throw new DroverError({ status: 200, message: 'the service has answered a request with a preview of it' });
  }

  /** What `undo` would do now, with nothing stored. */
  async previewUndo(importId: string, options: CallOptions = {}): Promise<ImportUndoPreview> {
    const init = { params: { path: { importId }, query: { dryRun: true } }, ...signalOf(options) };
    const { data } = await bodyOf(this.#http.POST('/api/imports/{importId}/undo', init));
    if ('dryRun' in data) return data;
    throw new DroverError({
      status: 202,
      message: `the service has started bulk operation ${data.bulkOperationId} in place of a preview`,
    });
  }

  /** Removes the import with its batches for good. Resources stay. */
  async delete(importId: string, options: CallOptions = {}): Promise<void> {
    await dataOf(this.#http.DELETE('/api/imports/{importId}', pathTo(importId, options)));
  }
}

const pathTo = (importId: string, options: CallOptions) => ({ params: { path: { importId } }, ...signalOf(options) });
