import type { Transport } from './transport.ts';

/** Requests whose bodies or answers are streams, which `openapi-fetch` does not send. */
export class StreamRequests {
  readonly #url: string;
  readonly #transport: Transport;

  constructor(url: string, transport: Transport) {
    this.#url = url.replace(/\/$/, '');
    this.#transport = transport;
  }

  /** The content that a GET answers. @param query values that are undefined are left out. @throws DroverError */
  content(
    path: string,
    { accept, query = {}, signal }: { accept: string; query?: object; signal?: AbortSignal | undefined },
  ): Promise<ReadableStream<Uint8Array>> {
    return this.#transport.stream(
      this.#request('GET', path, query, { headers: { accept }, ...(signal && { signal }) }),
    );
  }

  /** Sends bytes. @returns the answer, whatever its status. @throws DroverError if none came. */
  send(method: 'PUT' | 'POST', path: string, sent: SentBytes): Promise<Response> {
    const { contentType, bytes, query = {}, signal } = sent;
    const headers = { 'content-type': contentType };
    return this.#transport.send(
      this.#request(method, path, query, {
        headers,
        body: bytes as Uint8Array<ArrayBuffer>,
        ...(signal && { signal }),
      }),
    );
  }

  /**
   * Opens a stream of events: sent once, and without a time limit. @param lastEventId the last one that was seen.
   * @throws DroverError if no answer came.
   */
  events(path: string, lastEventId: string | undefined, signal: AbortSignal): Promise<Response> {
    const seen = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    const headers = { accept: 'text/event-stream', ...seen };
    return this.#transport.open(this.#request('GET', path, {}, { headers, signal }));
  }

  #request(method: string, path: string, query: object, init: RequestInit): Request {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
    return new Request(`${this.#url}${path}${search.size > 0 ? `?${search}` : ''}`, { ...init, method });
  }
}

interface SentBytes {
  readonly contentType: string;
  readonly bytes: Uint8Array;
  readonly query?: object;
  readonly signal?: AbortSignal | undefined;
}
