import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { exactJson } from '../../domain/json/exact.ts';
import { KeyReusedError } from '../../services/batches/accept-batch.ts';
import { NotAllowedError } from '../../services/batches/control-batch.ts';
import { classifyFailure } from '../../services/failures.ts';
import { ApiError, serverUnavailable } from './api-error.ts';
import type { ApiContext } from './context.ts';

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
  const failure = classifyFailure(error);
  if (failure.kind !== 'outage') return null;
  return failure.isBusy
    ? new ApiError(429, 'Temporal takes no more requests for now', { retryAfterSeconds: 2 })
    : serverUnavailable(failure.server);
}

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
