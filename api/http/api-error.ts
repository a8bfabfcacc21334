/** Most faults named in one answer (contract section 2). */
export const MAX_FAULTS = 100;
/** Seconds after which a caller should try again when a server is away. */
const RETRY_AFTER_SECONDS = 5;

/** The servers behind the API. */
export const SERVER_NAMES = { mongodb: 'MongoDB', temporal: 'Temporal' } as const;
export type Server = keyof typeof SERVER_NAMES;

/** An answer other than success. One closed list of statuses. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: 400 | 401 | 403 | 404 | 408 | 409 | 413 | 415 | 422 | 429 | 503;
  /** Each fault with its index or parameter. */
  readonly errors: readonly string[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** What a caller has to show, for `WWW-Authenticate`. */
  readonly challenge: string | undefined;
  /** The server that cannot be reached. */
  readonly away: Server | undefined;

  constructor(
    status: ApiError['status'],
    message: string,
    more: { errors?: readonly string[]; retryAfterSeconds?: number; challenge?: string; away?: Server } = {},
  ) {
    super(message);
    this.status = status;
    this.errors = more.errors;
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.challenge = more.challenge;
    this.away = more.away;
  }
}

export const badRequest = (...errors: readonly string[]): ApiError =>
  new ApiError(400, errors.length === 1 ? (errors[0] ?? '') : 'the request has faults', {
    errors: errors.slice(0, MAX_FAULTS),
  });
export const notFound = (message: string): ApiError => new ApiError(404, message);

export const serverUnavailable = (server: Server): ApiError =>
  new ApiError(503, `${SERVER_NAMES[server]} cannot be reached`, {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    away: server,
  });
