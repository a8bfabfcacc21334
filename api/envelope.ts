import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { exactJson } from '../domain/exact-json.ts';
import { KeyReusedError } from '../services/accept-batch.ts';
import { NotAllowedError } from '../services/control-batch.ts';
import { isBusy, isTemporalFailure } from '../services/start-failure.ts';
import { kindOfFailure } from '../store/errors.ts';
import type { ApiContext } from './context.ts';

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

/** The envelope of every successful answer. */
export const success = <T>(message: string, data: T) => ({ success: true as const, message, data });

/** Answers with JSON in which every number is what is stored, and can be sent back: where an answer holds a caller's data. */
export const answerExactly = (c: ApiContext, body: unknown, status: 200 | 201 = 200): Response =>
  c.body(exactJson(body), status, { 'Content-Type': 'application/json' });

/** What an error means to a caller; null for a bug of ours. */
export function toApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  if (error instanceof KeyReusedError) return new ApiError(422, error.message);
  if (error instanceof NotAllowedError) return new ApiError(409, error.message);
  if (kindOfFailure(error) === 'outage') return serverAway('mongodb');
  if (isBusy(error)) return new ApiError(429, 'Temporal takes no more requests for now', { retryAfterSeconds: 2 });
  if (isTemporalFailure(error)) return serverAway('temporal');
  return null;
}

export const serverAway = (server: Server): ApiError =>
  new ApiError(503, `${SERVER_NAMES[server]} cannot be reached`, {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    away: server,
  });

/** Headers that tell a caller how to go on, in whatever shape the body is; and what an operator should know. */
export function setErrorHeaders(c: ApiContext, { retryAfterSeconds, challenge, away }: ApiError): void {
  if (away !== undefined) c.var.services.metrics.away(away);
  if (retryAfterSeconds !== undefined) c.header('Retry-After', String(retryAfterSeconds));
  if (challenge !== undefined) c.header('WWW-Authenticate', challenge);
}

/** Answers with an error in the envelope: never a stack trace. */
export function failure(c: ApiContext, error: unknown): Response {
  const known = toApiError(error);
  if (known === null) {
    c.var.services.logger.error(
      { err: error, requestId: c.var.requestId, path: c.req.path },
      'a request failed for a reason of ours',
    );
    return c.json(
      { success: false, message: `internal error; the log has the reason under request ${c.var.requestId}` },
      500,
    );
  }
  setErrorHeaders(c, known);
  if (known.status === 503) c.var.services.logger.warn({ err: error, requestId: c.var.requestId }, known.message);
  const body = {
    success: false,
    message: known.message,
    ...(known.errors && { errors: known.errors }),
    ...(known.status === 404 && { data: { error: known.message } }),
  };
  return c.json(body, known.status satisfies ContentfulStatusCode);
}
