import type { ServerResponse } from 'node:http';
import { createMiddleware } from 'hono/factory';
import type { Config } from '../config.ts';
import { scopeKey } from '../domain/scope.ts';
import type { ApiEnv } from './context.ts';
import { ApiError } from './envelope.ts';

/** Seconds after which a caller that was too much should try again. */
const RETRY_AFTER_SECONDS = 1;

const tooMuch = (message: string): ApiError => new ApiError(429, message, { retryAfterSeconds: RETRY_AFTER_SECONDS });

/** What is being worked on in this process, and how much of it may be at once: memory stays bounded whatever arrives. */
export class LoadLimits {
  readonly #maxRequests: number;
  readonly #maxBodyBytes: number;
  /** Requests by tenant; who has none is not in it. */
  readonly #requests = new Map<string, number>();
  #bodyBytes = 0;

  constructor(config: Pick<Config, 'MAX_REQUESTS_PER_TENANT' | 'MAX_BODY_BYTES_IN_FLIGHT'>) {
    this.#maxRequests = config.MAX_REQUESTS_PER_TENANT;
    this.#maxBodyBytes = config.MAX_BODY_BYTES_IN_FLIGHT;
  }

  /** Bytes of bodies that are held now. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Begins a request of a tenant. @throws ApiError 429 where it has too many already. */
  begin(tenant: string): RequestLoad {
    const others = this.#requests.get(tenant) ?? 0;
    if (others >= this.#maxRequests) throw tooMuch('too many requests of this tenant at once');
    this.#requests.set(tenant, others + 1);
    let bytes = 0;
    return {
      addBodyBytes: (more) => {
        if (this.#bodyBytes + more > this.#maxBodyBytes) throw tooMuch('too many bytes are being received at once');
        this.#bodyBytes += more;
        bytes += more;
      },
      end: () => {
        this.#bodyBytes -= bytes;
        bytes = 0;
        const left = (this.#requests.get(tenant) ?? 0) - 1;
        if (left > 0) this.#requests.set(tenant, left);
        else this.#requests.delete(tenant);
      },
    };
  }
}

/** One request's part of the load. */
export interface RequestLoad {
  /** @throws ApiError 429 where that would be too much with those of others. */
  addBodyBytes(bytes: number): void;
  /** To be called once. */
  end(): void;
}

/** Counts a request until its answer has gone out, or its caller has: a stream that is watched counts as long as it lasts. */
export const limitLoad = createMiddleware<ApiEnv>(async (c, next) => {
  const load = c.var.services.load.begin(scopeKey(c.var.scope));
  c.set('load', load);
  // without a socket (`app.request()`) there is no such thing as going out
  const outgoing = (c.env as { outgoing?: ServerResponse } | undefined)?.outgoing;
  outgoing?.once('close', load.end);
  try {
    await next();
  } finally {
    if (outgoing === undefined) load.end();
    else if (outgoing.closed && outgoing.off('close', load.end)) load.end();
  }
});
