import { DroverError, retryAfterOf } from '../errors.ts';
import { backoff, pause } from './pause.ts';

/** Sends one request: `globalThis.fetch`, or a function that passes requests to a server in the same process. */
export type Fetch = (request: Request) => Promise<Response>;

/** How failures are repeated. */
export interface RetryOptions {
  /** How many times a request is sent in all, at least 1. Default 5. */
  readonly attempts?: number;
  /** Longest delay before a repetition, in ms: if the service requires a longer one, its error is thrown. Default 60,000. */
  readonly maxDelayMs?: number;
}

export interface TransportOptions {
  /** Called for each attempt. Default `globalThis.fetch`. */
  readonly fetch?: Fetch;
  /** A JSON Web Token, or a function that returns one for each attempt. Default: no token is sent. */
  readonly token?: string | (() => string | Promise<string>);
  /** Name of the tenant of the requests. Default: that of the token, else `default`. */
  readonly tenant?: string;
  /** false: no request is repeated. */
  readonly retry?: RetryOptions | false;
  /** Longest wait for a whole answer, in ms, for each attempt. Default 60,000. */
  readonly timeoutMs?: number;
}

const DEFAULT_ATTEMPTS = 5;
const DEFAULT_MAX_DELAY_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 60_000;
/** Delay before the first repetition if the service names none, in ms. */
const FIRST_DELAY_MS = 500;
/** Largest delay that a timer accepts, in ms. */
const MAX_TIMER_MS = 2_147_483_647;

/** A body may take longer than the time limit, at this rate. */
const SLOWEST_BYTES_PER_SECOND = 32 * 1024;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** The statuses whose answers have no body. */
const WITHOUT_BODY: readonly number[] = [204, 205, 304];

/** Sends requests with the token and the tenant of a client, within its time limits, and repeats them if that is safe. */
export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /**
   * Sends a request until a complete answer has arrived. 429 and 503 are repeated after their Retry-After, a 503 not if a repetition could start
   * a second batch. A request whose answer is lost is repeated only if a second effect is impossible or the same.
   * @throws DroverError if no answer came; the signal's reason once it is aborted.
   */
  send(request: Request): Promise<Response> {
    return this.#repeat(request, () => this.#attempt(request));
  }

  /**
   * The same for an answer that is a stream: it is there once its head has arrived, and has no limit of time but that bytes
   * keep arriving. @throws DroverError for every answer but a success.
   */
  async stream(request: Request): Promise<ReadableStream<Uint8Array>> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const response = await this.#repeat(request, () => this.#head(request, timeoutMs));
    if (!response.ok) throw DroverError.ofAnswer(response, await response.json().catch(() => null));
    const body = response.body ?? new Blob([]).stream();
    return untilSilent(body, timeoutMs, (cause) => noAnswer(request, cause));
  }

  async #repeat(request: Request, attemptOnce: () => Promise<Response>): Promise<Response> {
    const { retry = {} } = this.#options;
    const { attempts = DEFAULT_ATTEMPTS, maxDelayMs = DEFAULT_MAX_DELAY_MS } = retry || { attempts: 1 };
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt >= attempts;
      const result = await attemptOnce().catch((error: unknown) => {
        if (isLast || !(error instanceof DroverError) || !isRepeatable(request)) throw error;
        return error;
      });
      const isAnswer = result instanceof Response;
      if (isAnswer && (isLast || !asksForMore(request, result))) return result;
      const required = isAnswer ? retryAfterOf(result) : null;
      if (required !== null && required * 1000 > maxDelayMs && isAnswer) return result;
      if (isAnswer) await result.body?.cancel();
      await pause(required === null ? backoff(attempt, FIRST_DELAY_MS, maxDelayMs) : required * 1000, request.signal);
    }
  }

  /** An answer whose body may still be on its way. */
  async #head(request: Request, timeoutMs: number): Promise<Response> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new DOMException('no answer in time', 'TimeoutError')), timeoutMs);
    try {
      return await this.#fetch(request.clone(), AbortSignal.any([request.signal, late.signal]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Opens a stream: sent once, and without a time limit. @throws DroverError if no answer came. */
  async open(request: Request): Promise<Response> {
    return this.#fetch(request, request.signal);
  }

  /** An answer with its complete body: one that breaks off is no answer. */
  async #attempt(request: Request): Promise<Response> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const sendingMs = Math.ceil(((await bytesOf(request)) / SLOWEST_BYTES_PER_SECOND) * 1000);
    const limit = AbortSignal.timeout(Math.min(timeoutMs + sendingMs, MAX_TIMER_MS));
    const signal = AbortSignal.any([request.signal, limit]);
    const response = await this.#fetch(request.clone(), signal);
    const { status, statusText, headers } = response;
    const body = await response.arrayBuffer().catch((error: unknown) => noAnswer(request, error));
    return new Response(WITHOUT_BODY.includes(status) ? null : body, { status, statusText, headers });
  }

  async #fetch(request: Request, signal: AbortSignal): Promise<Response> {
    const { fetch = globalThis.fetch, token, tenant } = this.#options;
    // followed, a redirect would send resources to another host, and a POST as a GET
    const sent = new Request(request, { signal, redirect: 'manual' });
    if (token !== undefined)
      sent.headers.set('authorization', bearer(typeof token === 'string' ? token : await token()));
    if (tenant !== undefined) sent.headers.set(...tenantHeader(tenant));
    const response = await fetch(sent).catch((error: unknown) => noAnswer(request, error));
    if (response.type === 'opaqueredirect' || REDIRECTS.includes(response.status)) throw redirected(response);
    return response;
  }
}

/** @throws TypeError for what is no token: the error of `fetch` would show it. */
function bearer(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return `Bearer ${token}`;
  throw new TypeError('the token is empty, or has characters that no token has');
}

function redirected({ status, headers }: Response): DroverError {
  // a browser does not say where to
  const location = headers.get('location');
  const where = location === null ? 'another address' : location.slice(0, 200);
  return new DroverError({
    status: status || null,
    message: `the service redirects to ${where}: give the address itself`,
  });
}

const bytesOf = async (request: Request): Promise<number> =>
  request.body === null ? 0 : (await request.clone().arrayBuffer()).byteLength;

/** @throws DroverError, or the reason with which the caller has aborted the request. */
function noAnswer(request: Request, cause: unknown): never {
  if (request.signal.aborted) throw request.signal.reason;
  const reason = cause instanceof Error ? [cause.message, ...messageOf(cause.cause)].join(': ') : String(cause);
  const { pathname } = new URL(request.url);
  throw new DroverError({ status: null, message: `no answer to ${request.method} ${pathname}: ${reason}`, cause });
}

const messageOf = (cause: unknown): string[] => (cause instanceof Error && cause.message ? [cause.message] : []);

/** A 429 has no effect; a 503 may come after an effect: then a request is repeated only if a second effect does no harm. */
function asksForMore(request: Request, { status }: Response): boolean {
  return status === 429 || (status === 503 && (isRepeatable(request) || saysState(request)));
}

/** Whether a request sets a state, and does not add to it. A part that was removed may be there anew: it would be removed, too. */
const saysState = ({ method, url }: Request): boolean =>
  method === 'PUT' ||
  (method === 'DELETE' && !PART.test(new URL(url).pathname)) ||
  /\/api\/(batches|imports)\/[^/]+\/\w+$/.test(new URL(url).pathname);

const PART = /\/api\/imports\/[^/]+\/parts\/\d+$/;
const SEAL = /\/api\/imports\/[^/]+\/seal$/;

/** Reads, what an Idempotency-Key protects, and content of imports: the same part or seal again changes nothing. */
function isRepeatable({ method, headers, url }: Request): boolean {
  if (method === 'GET' || method === 'HEAD' || headers.has('idempotency-key')) return true;
  const { pathname } = new URL(url);
  return (method === 'PUT' && PART.test(pathname)) || (method === 'POST' && SEAL.test(pathname));
}

/** The same stream, which fails if no byte arrives for that long while its reader waits. @param fail what is thrown for a cause. */
function untilSilent(
  body: ReadableStream<Uint8Array>,
  silenceMs: number,
  fail: (cause: unknown) => never,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const next = (): ReturnType<typeof reader.read> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const silent = new DOMException(`no byte for ${silenceMs} ms`, 'TimeoutError');
        reject(silent);
        void reader.cancel(silent).catch(() => undefined);
      }, silenceMs);
      reader
        .read()
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await next().catch(fail);
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** A name that a plain header cannot contain is percent-encoded (RFC 8187). */
function tenantHeader(tenant: string): [string, string] {
  if (/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(tenant) && !tenant.includes(','))
    return ['reach-tenant-id', tenant];
  const encoded = encodeURIComponent(tenant).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return ['reach-tenant-id*', `UTF-8''${encoded}`];
}
